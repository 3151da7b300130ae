/**
 * Handlers that stream their response: the global `awslambda`, as in Lambda's Node.js.
 *
 * A load balancer invokes a function and waits for the whole result. So what such a handler writes
 * is kept, and is the result byte for byte when the stream has ended.
 * Source: Lambda developer guide, "Writing response streaming-enabled Lambda functions".
 */

import { Writable } from 'node:stream';

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HTTP_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const DELIMITER = Buffer.alloc(8);

/** The whole of what was streamed. */
export class Streamed {
  constructor(bytes) {
    this.bytes = bytes;
  }
}

class ResponseStream extends Writable {
  #chunks = [];

  /** Call `onEnd` with everything when it has ended. */
  constructor(onEnd) {
    super({ highWaterMark: 64 * 1024 });
    this.on('finish', () => onEnd(new Streamed(Buffer.concat(this.#chunks))));
  }

  /** What is neither text nor bytes is written as JSON. */
  write(chunk, ...rest) {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), ...rest);
  }

  /** There is nobody to tell it to: a load balancer takes the type from the result. */
  setContentType() {}

  _write(chunk, _encoding, callback) {
    this.#chunks.push(chunk);
    callback();
  }
}

class HttpResponseStream {
  /** Let `stream` begin with `metadata`, ahead of the first chunk that is written. */
  static from(stream, metadata) {
    stream.setContentType(HTTP_RESPONSE);
    const write = stream.write;
    stream.write = (...values) => {
      stream.write = write;
      stream.write(JSON.stringify(metadata));
      stream.write(DELIMITER);
      return stream.write(...values);
    };
    return stream;
  }
}

/** Set the global `awslambda`. */
export function offerStreaming() {
  const streamifyResponse = (handler) => Object.assign(handler, { [STREAMING]: 'response' });
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
}

export function isStreaming(handler) {
  return handler[STREAMING] === 'response';
}

/** Resolve to what `handler` streams, once it has ended its stream and is done itself. */
export function stream(handler, payload, context) {
  return new Promise((resolve, reject) => {
    let returned;
    const response = new ResponseStream((streamed) => {
      Promise.resolve(returned).then(() => resolve(streamed), reject);
    });
    response.on('error', reject);
    returned = handler(payload, response, context);
    Promise.resolve(returned).catch(reject);
  });
}
