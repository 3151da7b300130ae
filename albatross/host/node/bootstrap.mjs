/**
 * A Lambda runtime for Node.js: loads the handler named by _HANDLER and answers invocations.
 *
 * Run as `node bootstrap.mjs` with the environment that Lambda sets. It asks of the Runtime API
 * that answers carry Content-Length and that requests may be pipelined on a kept-alive connection.
 * Source: Lambda developer guide, "Runtime API" and "Define Lambda function handler in Node.js".
 */

import { setImmediate as turn } from 'node:timers/promises';

import { formatFor, patchConsole, setRequestId } from './console.mjs';
import { contextOf } from './context.mjs';
import { CallbackHandlerDeprecated, UnhandledPromiseRejection, documentOf } from './errors.mjs';
import { load } from './handler.mjs';
import { invoke, serialize } from './invocation.mjs';
import { RuntimeApi } from './runtime_api.mjs';

const EXIT_UNCAUGHT_EXCEPTION = 129;
const EXIT_UNHANDLED_REJECTION = 128;

// From Node.js 24 on, Lambda takes no callbacks. The declared runtime counts, not our version.
const CALLBACKS_END = 24;
const declared = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? '');
const callbacks = declared === null || Number(declared[1]) < CALLBACKS_END;

const api = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
const logError = patchConsole(formatFor(process.env));
let phase = { name: 'init' }; // or invoke; between: nothing is asked of us; dying
let answered = null; // a promise: the Runtime API has the last answer

/** Report an error that no code caught, to where it belongs, and end the process. */
async function die(title, error, exitCode) {
  const failed = phase;
  phase = { name: 'dying' };
  if (failed.name === 'dying') return;
  logError(title, error);
  if (failed.name === 'init') await api.failInit(documentOf(error));
  if (failed.name === 'invoke') await api.fail(failed.requestId, documentOf(error));
  await answered;
  process.exit(exitCode);
}

/** Handle one event and return once its answer is on its way. */
async function handle(handler, { headers, body }) {
  const requestId = headers.get('lambda-runtime-aws-request-id');
  setRequestId(requestId);
  phase = { name: 'invoke', requestId };
  let outcome = await invoke(handler, () => [JSON.parse(body), contextOf(headers)], callbacks);
  if (!outcome.error) outcome = serialize(outcome.result, callbacks);
  // differs from AWS: up to Node.js 22, a promise that is rejected without a handler in the same
  // turn of the event loop in which the function answers fails the invocation, as in AWS from
  // Node.js 24 on.
  await turn();
  if (phase.name === 'dying') return;
  phase = { name: 'between' };
  if (outcome.error) {
    logError('Invoke Error', outcome.error.value);
    answered = api.fail(requestId, documentOf(outcome.error.value));
  } else {
    answered = api.respond(requestId, outcome.json);
  }
}

process.on('uncaughtException', (error) => {
  die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
});
process.on('unhandledRejection', (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason, promise);
  die('Unhandled Promise Rejection', error, EXIT_UNHANDLED_REJECTION);
});

try {
  const handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, callbacks);
  if (!callbacks && handler.length > 2) throw new CallbackHandlerDeprecated();
  phase = { name: 'between' };
  while (phase.name !== 'dying') await handle(handler, await api.next());
} catch (error) {
  await die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
}
