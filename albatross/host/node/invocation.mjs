/**
 * Calling the handler once, and knowing when it is done.
 *
 * An outcome is `{result}` or `{error: {value}}`, for anything can be thrown, even `false`. A handler
 * that streams begins its response by calling `open`.
 * Source: Lambda developer guide, "Define Lambda function handler in Node.js" (async handlers and
 * callbacks) and "Using the Lambda context object" (callbackWaitsForEmptyEventLoop).
 */

import { contextOf } from './context.mjs';
import { JSONStringifyError, NodeJsExit } from './errors.mjs';
import { Streamed, isStreaming, stream } from './streaming.mjs';

const AsyncFunction = (async () => {}).constructor;

let whenIdle = null; // called when the event loop is empty: nothing more will happen by itself
process.on('beforeExit', () => {
  const listener = whenIdle;
  whenIdle = null;
  listener?.();
});

/**
 * Call `handler` for `event`, and `done` with the outcome, once.
 *
 * With `callbacks`, the handler may answer through its third argument or the context's `done`,
 * `succeed` and `fail`; the first answer counts. Else what it returns is the answer.
 */
export function invoke(handler, event, callbacks, open, done) {
  let answered = false; // by the handler; `done` may have to wait for the event loop
  const finish = (outcome) => {
    if (answered) return;
    answered = true;
    done(outcome);
  };
  const succeed = (result) => finish({ result });
  const fail = (error) => finish({ error: { value: error ?? 'handled' } });
  whenIdle = () => {
    const waits = !callbacks || handler instanceof AsyncFunction || isStreaming(handler);
    finish(waits ? { error: { value: new NodeJsExit() } } : { result: null });
  };
  try {
    const payload = JSON.parse(event.body);
    const context = contextOf(event);
    if (isStreaming(handler)) {
      stream(handler, payload, context, open).then(succeed, fail);
    } else if (callbacks) {
      const later = (result) => {
        if (answered) return;
        answered = true;
        if (context.callbackWaitsForEmptyEventLoop) whenIdle = () => done({ result });
        else done({ result });
      };
      withCallbacks(context, succeed, fail);
      const returned = handler(payload, context, nodeStyle(later, fail));
      if (isThenable(returned)) settle(returned, succeed, fail);
    } else {
      settle(handler(payload, context), succeed, fail);
    }
  } catch (error) {
    fail(error);
  }
}

function settle(returned, succeed, fail) {
  if (returned instanceof Promise) returned.then(succeed, fail);
  else Promise.resolve(returned).then(succeed, fail);
}

function withCallbacks(context, succeed, fail) {
  context.callbackWaitsForEmptyEventLoop = true;
  context.succeed = succeed;
  context.fail = fail;
  context.done = nodeStyle(succeed, fail);
}

function nodeStyle(succeed, fail) {
  return (error, result) => (isNothing(error) ? succeed(result) : fail(error));
}

/** Return `{body}`, `{streamed}`, or an error outcome for what JSON cannot express. */
export function serialize(result, callbacks) {
  if (result instanceof Streamed) return { streamed: true };
  let body;
  try {
    body = JSON.stringify(result ?? null);
  } catch {
    // reported below, like a function or symbol, for which there is no JSON either
  }
  if (body !== undefined) return { body };
  const message = 'Unable to stringify response body';
  return { error: { value: callbacks ? new Error(message) : new JSONStringifyError(message) } };
}

function isNothing(error) {
  return error === undefined || error === null;
}

function isThenable(value) {
  return typeof value?.then === 'function';
}
