/**
 * A Lambda runtime for Node.js: loads the handler named by _HANDLER and answers invocations.
 *
 * Run with the environment that Lambda sets. Events come over the channel (channel.mjs) that is open
 * under the number _ALBATROSS_CHANNEL, without one from the Runtime API.
 * Source: Lambda developer guide, "Runtime API" and "Define Lambda function handler in Node.js".
 */

import { Channel } from './channel.mjs';
import { formatFor, patchConsole, setRequestId } from './console.mjs';
import { CallbackHandlerDeprecated, UnhandledPromiseRejection, documentOf } from './errors.mjs';
import { load } from './handler.mjs';
import { invoke, serialize } from './invocation.mjs';
import { RuntimeApi } from './runtime_api.mjs';
import { offerStreaming } from './streaming.mjs';

const EXIT_UNCAUGHT_EXCEPTION = 129;
const EXIT_UNHANDLED_REJECTION = 128;

// From Node.js 24 on, Lambda takes no callbacks. The declared runtime counts, not our version.
const CALLBACKS_END = 24;
const declared = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? '');
const callbacks = declared === null || Number(declared[1]) < CALLBACKS_END;

const runtimeApi = new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
const descriptor = process.env._ALBATROSS_CHANNEL;
delete process.env._ALBATROSS_CHANNEL;
const api = descriptor ? new Channel(Number(descriptor), runtimeApi) : runtimeApi;
const logError = patchConsole(formatFor(process.env));
let handler = null;
let phase = 'init'; // or invoke; between: nothing is asked of us; dying
let requestId; // of the invocation that runs
let answered; // undefined, or a promise: the last answer has left
let streaming = null; // where the answer goes that has begun

/** Report an error that no code caught, to where it belongs, and end the process. */
async function die(title, error, exitCode) {
  const failed = phase;
  phase = 'dying';
  if (failed === 'dying') return;
  logError(title, error);
  if (failed === 'init') await api.failInit(documentOf(error));
  if (failed === 'invoke') {
    const document = documentOf(error);
    await (streaming?.failLast(document) ?? api.failLast(requestId, document));
  }
  await answered;
  process.exit(exitCode);
}

/** Handle one event, answer it, and ask for the next. */
function handle(event) {
  ({ requestId } = event);
  setRequestId(requestId);
  phase = 'invoke';
  streaming = null;
  invoke(handler, event, callbacks, open, done);
}

function open(contentType) {
  streaming = api.openStream(requestId, contentType);
  return streaming;
}

function done(outcome) {
  const shown = outcome.error ? outcome : serialize(outcome.result, callbacks);
  // differs from AWS: up to Node.js 22, a promise that is rejected without a handler in the same
  // turn of the event loop in which the function answers fails the invocation, as in AWS from
  // Node.js 24 on.
  setImmediate(answer, shown);
}

function answer(outcome) {
  if (phase === 'dying') return;
  phase = 'between';
  if (outcome.error) {
    logError('Invoke Error', outcome.error.value);
    const document = documentOf(outcome.error.value);
    answered = streaming === null ? api.fail(requestId, document) : streaming.fail(document);
  } else {
    answered = outcome.streamed ? streaming.end() : api.respond(requestId, outcome.body);
  }
  // A stream may have a connection of its own, which the next question must not overtake.
  if (streaming !== null && answered) answered.then(() => api.next(handle));
  else api.next(handle);
}

process.on('uncaughtException', (error) => {
  die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
});
process.on('unhandledRejection', (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason, promise);
  die('Unhandled Promise Rejection', error, EXIT_UNHANDLED_REJECTION);
});

try {
  offerStreaming();
  handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, callbacks);
  if (!callbacks && handler.length > 2) throw new CallbackHandlerDeprecated();
  phase = 'between';
  api.next(handle);
} catch (error) {
  await die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
}
