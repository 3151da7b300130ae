/**
 * Calling the handler once, and knowing when it is done.
 *
 * An outcome is `{result}` or `{error: {value}}`, for anything can be thrown, even `false`.
 * Source: Lambda developer guide, "Define Lambda function handler in Node.js" (async handlers and
 * callbacks) and "Using the Lambda context object" (callbackWaitsForEmptyEventLoop).
 */

import { JSONStringifyError, NodeJsExit } from './errors.mjs';

const AsyncFunction = (async () => {}).constructor;

let whenIdle = null; // called when the event loop is empty: nothing more will happen by itself
process.on('beforeExit', () => {
  const listener = whenIdle;
  whenIdle = null;
  listener?.();
});

/**
 * Call `handler` with what `prepare` returns, `[event, context]`, and resolve to the outcome.
 *
 * With `callbacks`, the handler may answer through its third argument or the context's `done`,
 * `succeed` and `fail`; the first answer counts. Else what it returns is the answer.
 */
export function invoke(handler, prepare, callbacks) {
  return new Promise((resolve) => {
    let answered = false;
    const once = (answer) => (...values) => {
      if (answered) return;
      answered = true;
      answer(...values);
    };
    const succeed = once((result) => resolve({ result }));
    const fail = once((error) => resolve({ error: { value: error ?? 'handled' } }));
    whenIdle = once(() => {
      const waits = !callbacks || handler instanceof AsyncFunction;
      resolve(waits ? { error: { value: new NodeJsExit() } } : { result: null });
    });
    try {
      const [event, context] = prepare();
      let returned;
      if (callbacks) {
        const callback = callbackOf(context, resolve, once, fail);
        returned = handler(event, withCallbacks(context, succeed, fail), callback);
      } else {
        returned = handler(event, context);
      }
      if (!callbacks || isThenable(returned)) Promise.resolve(returned).then(succeed, fail);
    } catch (error) {
      fail(error);
    }
  });
}

function withCallbacks(context, succeed, fail) {
  const done = (error, result) => (isNothing(error) ? succeed(result) : fail(error));
  context.callbackWaitsForEmptyEventLoop = true;
  return Object.assign(context, { succeed, fail, done });
}

/** A result is held back until the event loop is empty, unless the context says otherwise. */
function callbackOf(context, resolve, once, fail) {
  const succeed = once((result) => {
    if (context.callbackWaitsForEmptyEventLoop) whenIdle = () => resolve({ result });
    else resolve({ result });
  });
  return (error, result) => (isNothing(error) ? succeed(result) : fail(error));
}

/** Return `{json}`, or an error outcome for what JSON cannot express. */
export function serialize(result, callbacks) {
  let json;
  try {
    json = JSON.stringify(result ?? null);
  } catch {
    // reported below, like a function or symbol, for which there is no JSON either
  }
  if (json !== undefined) return { json };
  const message = 'Unable to stringify response body';
  return { error: { value: callbacks ? new Error(message) : new JSONStringifyError(message) } };
}

function isNothing(error) {
  return error === undefined || error === null;
}

function isThenable(value) {
  return typeof value?.then === 'function';
}
