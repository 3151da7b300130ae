/**
 * `console` as Lambda has it: a line has time, request id and level, and is written at once.
 *
 * Source: Lambda developer guide, "Log and monitor Node.js Lambda functions".
 */

import fs from 'node:fs';
import { format } from 'node:util';

import { asError, loggedJson } from './errors.mjs';

const STDOUT = 1;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const RETRY_MS = 1;
const FRAMES = '_LAMBDA_TELEMETRY_LOG_FD';
const FRAME_HEAD_BYTES = 16;
const FRAME_TYPE = 0xa55a0003;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

let requestId; // undefined during init, and so it is printed

export function setRequestId(id) {
  requestId = id;
}

/**
 * Return what the environment asks for: `{json: boolean, least: index of a level, framed: boolean}`.
 *
 * What is framed stays one log event, however many lines it has. The variable is for us alone.
 */
export function formatFor(environment) {
  const json = environment.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = LEVELS.indexOf(environment.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  const framed = FRAMES in environment;
  delete environment[FRAMES];
  return { json, least: Math.max(least, 0), framed };
}

/** Replace console's methods. Returns `(title, error) => void`, which logs an error in full. */
export function patchConsole({ json, least, framed = false }) {
  const line = json ? jsonLine : textLine;
  LEVELS.forEach((level, index) => {
    const write = (message, ...rest) => writeAll(`${line(level, message, rest)}\n`, framed);
    console[level.toLowerCase()] = index >= least ? write : () => {};
  });
  console.log = console.info;
  // What the function writes to its standard output by itself must not stay in a queue either.
  for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true);
  return (title, error) => {
    if (json) console.error(asError(error));
    else console.error(title, `\t${loggedJson(error)}`);
  };
}

function textLine(level, message, rest) {
  return `${new Date().toISOString()}\t${requestId}\t${level}\t${format(message, ...rest)}`;
}

function jsonLine(level, message, rest) {
  const entry = { timestamp: new Date().toISOString(), level, requestId };
  if (rest.length === 0) {
    try {
      return JSON.stringify({ ...entry, message }, describeError);
    } catch {
      return JSON.stringify({ ...entry, message: format(message) });
    }
  }
  const error = rest.find((value) => value instanceof Error);
  return JSON.stringify({ ...entry, message: format(message, ...rest), ...errorFields(error) });
}

function describeError(_key, value) {
  return value instanceof Error ? { ...errorFields(value), ...value } : value;
}

function errorFields(error) {
  return error && {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

/** Return `text` as a record with its bounds: type, length, time in microseconds, text. */
function frame(text) {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(FRAME_TYPE, 0);
  head.writeUInt32BE(text.length, 4);
  head.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  return Buffer.concat([head, text]);
}

/** Write `text` to standard output before returning; if nobody reads it any more, drop it. */
function writeAll(text, framed) {
  let rest = framed ? frame(Buffer.from(text)) : Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(STDOUT, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
      Atomics.wait(sleeper, 0, 0, RETRY_MS); // somebody made the pipe non-blocking, and it is full
    }
  }
}
