/** The runtime's own errors, and errors as documents: for the Runtime API and for the log. */

import { types } from 'node:util';

export class ImportModuleError extends Error {}
export class HandlerNotFound extends Error {}
export class MalformedHandlerName extends Error {}
export class JSONStringifyError extends Error {}

/** Its stack is the syntax error's, with the place. */
export class UserCodeSyntaxError extends Error {
  constructor(error, stack) {
    super(String(error));
    this.stack = stack;
  }
}

export class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(String(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

export class InvalidStreamingOperation extends Error {}

export class NodeJsExit extends Error {
  constructor() {
    super(
      'The event loop became empty before the handler was done. ' +
        'Most often a Promise that the handler waits for is never settled.',
    );
  }
}

export class CallbackHandlerDeprecated extends Error {
  constructor() {
    super(
      'From Node.js 24 on, Lambda does not support callback-based handlers: ' +
        'make the handler an async function with at most two parameters.',
    );
  }
}

for (const type of [
  ImportModuleError,
  HandlerNotFound,
  MalformedHandlerName,
  JSONStringifyError,
  UserCodeSyntaxError,
  UnhandledPromiseRejection,
  InvalidStreamingOperation,
  NodeJsExit,
  CallbackHandlerDeprecated,
]) {
  type.prototype.name = `Runtime.${type.name}`;
}

/** Return `{errorType, errorMessage, trace}` for anything that can be thrown. */
export function documentOf(error) {
  try {
    if (isError(error)) {
      return {
        errorType: String(error.name),
        errorMessage: String(error.message),
        trace: String(error.stack).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'The error cannot be described: reading its name, message or stack failed.',
      trace: [],
    };
  }
}

/** Return JSON text for the log: like the document, with the error's own properties too. */
export function loggedJson(error) {
  try {
    return JSON.stringify(asError(error), (_key, value) => withHiddenProperties(value));
  } catch {
    return JSON.stringify(documentOf(error));
  }
}

export function asError(value) {
  return value instanceof Error ? value : new Error(documentOf(value).errorMessage);
}

/** An error of another realm, or one that only looks like one, is an error as well. */
function isError(value) {
  if (types.isNativeError(value)) return true;
  const looks = ['name', 'message', 'stack'];
  return Boolean(value) && looks.every((key) => value[key] && typeof value[key] === 'string');
}

function withHiddenProperties(value) {
  if (!(value instanceof Error)) return value;
  const { name: errorType, message: errorMessage, code, stack } = value;
  const shown = { errorType, errorMessage, code, ...value };
  return typeof stack === 'string' ? { ...shown, stack: stack.split('\n') } : shown;
}
