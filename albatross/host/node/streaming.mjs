/**
 * Handlers that stream their response: the global `awslambda`, as in Lambda's Node.js.
 *
 * What such a handler writes goes to the host as it is written; there it is passed on, or, where the
 * caller waits for the whole result, collected.
 * Source: Lambda developer guide, "Writing response streaming-enabled Lambda functions".
 */

import { Writable } from 'node:stream';

import { InvalidStreamingOperation } from './errors.mjs';

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const DEFAULT_HIGH_WATER_MARK = 64 * 1024;
const HTTP_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const DEFAULT_TYPE = 'application/octet-stream';
const DELIMITER = Buffer.alloc(8);

/** Stands for a result of which all but the end has been sent. */
export class Streamed {}

class ResponseStream extends Writable {
  #open;
  #sending = null;
  #type = DEFAULT_TYPE;
  #prelude = null;

  /** `open(contentType)` begins the response and returns where its parts are to be written. */
  constructor(open, highWaterMark = DEFAULT_HIGH_WATER_MARK) {
    super({ highWaterMark });
    this.#open = open;
  }

  /** What is neither text nor bytes is written as JSON. */
  write(chunk, ...rest) {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...rest);
  }

  setContentType(type) {
    if (this.#sending !== null) {
      throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    }
    this.#type = type;
  }

  /** Let `metadata` go ahead of what is written. */
  setMetadata(metadata) {
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), DELIMITER]);
    this.#type = HTTP_RESPONSE;
  }

  _write(chunk, _encoding, callback) {
    settle(this.#begin(chunk), callback);
  }

  _final(callback) {
    settle(this.#sending === null ? this.#begin(Buffer.alloc(0)) : undefined, callback);
  }

  #begin(chunk) {
    this.#sending ??= this.#open(this.#type);
    const data = this.#prelude === null ? chunk : Buffer.concat([this.#prelude, chunk]);
    this.#prelude = null;
    return data.length > 0 ? this.#sending.write(data) : undefined;
  }
}

class HttpResponseStream {
  /** Let `stream` begin with `metadata`: status, headers and cookies of an HTTP response. */
  static from(stream, metadata) {
    stream.setMetadata(metadata);
    return stream;
  }
}

/** Set the global `awslambda`. */
export function offerStreaming() {
  const streamifyResponse = (handler, options) =>
    Object.assign(handler, {
      [STREAMING]: 'response',
      [HIGH_WATER_MARK]: options?.highWaterMark,
    });
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
}

export function isStreaming(handler) {
  return handler[STREAMING] === 'response';
}

/** Resolve once `handler` has ended its stream, which `open` begins, and is done itself. */
export function stream(handler, payload, context, open) {
  return new Promise((resolve, reject) => {
    let returned;
    const response = new ResponseStream(open, handler[HIGH_WATER_MARK]);
    response.on('finish', () => {
      Promise.resolve(returned).then(() => resolve(new Streamed()), reject);
    });
    response.on('error', reject);
    returned = handler(payload, response, context);
    if (typeof returned?.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    returned.then(undefined, reject);
  });
}

function settle(sent, callback) {
  if (sent === undefined) callback();
  else sent.then(() => callback(), callback);
}
