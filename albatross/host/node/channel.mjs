/**
 * The way to the Lambda host by a socket that is inherited from it: one frame in, one frame out.
 *
 * The frames are described in host/channel.py. It has the methods of `RuntimeApi`, which costs two
 * HTTP requests an invocation. A stream's machinery is left out where it can be: what is read lands
 * in one buffer, and what is written is written at once, unless the socket is full.
 */

import fs from 'node:fs';
import net from 'node:net';

import { lost } from './runtime_api.mjs';

const EVENT_HEAD = 8; // two lengths of four bytes
const ANSWER_HEAD = 41; // kind, request id, length
const RESULT_BYTES_MAX = 6 * 1024 * 1024 + 100;
const BUFFER_BYTES = 64 * 1024;
const PART_BYTES_MAX = 1024 * 1024;
const [READY, RESULT, ERROR, TOO_LARGE, LAST_ERROR, BEGIN, PART] = Buffer.from('NRELFBP');

export class Channel {
  #descriptor;
  #socket;
  #runtimeApi;
  #out = Buffer.allocUnsafe(BUFFER_BYTES);
  #parts = []; // of an event that came in several
  #bytes = 0; // in #parts
  #wanted = EVENT_HEAD; // bytes that must be in #parts before another look is worthwhile
  #asked = false; // for the next event
  #onEvent = null;

  /** `descriptor` is the socket's number; what has no frame goes to `runtimeApi`. */
  constructor(descriptor, runtimeApi) {
    this.#descriptor = descriptor;
    this.#runtimeApi = runtimeApi;
    const callback = (size, buffer) => this.#received(buffer.subarray(0, size));
    const onread = { buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES), callback };
    this.#socket = new net.Socket({ fd: descriptor, readable: true, writable: true, onread });
    this.#socket.on('error', () => {}); // 'close' follows
    this.#socket.on('close', () => lost('closed the channel'));
    this.#socket.unref();
  }

  /** Wait for an event and call `onEvent` with it. */
  next(onEvent) {
    this.#onEvent = onEvent;
    this.#socket.ref();
    if (!this.#asked) this.#send(READY, '', '');
    this.#asked = true; // a result is also the question for the next event
  }

  /** Answer an invocation with JSON text, or bytes. Returns undefined, or a promise of its end. */
  respond(requestId, body) {
    return this.#answer(RESULT, requestId, body);
  }

  /** Answer an invocation with an error document. */
  fail(requestId, document) {
    return this.#answer(ERROR, requestId, JSON.stringify(document));
  }

  /** The same, when this process is about to end: no event must follow. */
  failLast(requestId, document) {
    return this.#answer(LAST_ERROR, requestId, JSON.stringify(document));
  }

  /**
   * Begin a result that comes in parts, and return where they go. Its methods, like ours, return
   * undefined, or a promise of their end.
   */
  openStream(requestId, contentType) {
    this.#send(BEGIN, requestId, contentType);
    return {
      write: (bytes) => this.#sendParts(requestId, bytes),
      end: () => this.respond(requestId, ''),
      fail: (document) => this.fail(requestId, document),
      failLast: (document) => this.failLast(requestId, document),
    };
  }

  #sendParts(requestId, bytes) {
    let sent;
    for (let at = 0; at < bytes.length; at += PART_BYTES_MAX) {
      sent = this.#send(PART, requestId, bytes.subarray(at, at + PART_BYTES_MAX));
    }
    return sent; // they leave in order
  }

  /** Report that the function cannot be initialized. */
  failInit(document) {
    return this.#runtimeApi.failInit(document);
  }

  #answer(kind, requestId, body) {
    const fits = length(body) <= RESULT_BYTES_MAX;
    this.#asked = fits && kind !== LAST_ERROR;
    return fits ? this.#send(kind, requestId, body) : this.#send(TOO_LARGE, requestId, '');
  }

  #send(kind, requestId, body) {
    const size = ANSWER_HEAD + length(body);
    const out = size <= BUFFER_BYTES ? this.#out : Buffer.allocUnsafe(size);
    out[0] = kind;
    out.fill(0, 1 + requestId.length, ANSWER_HEAD - 4);
    out.latin1Write(requestId, 1);
    out.writeUInt32LE(size - ANSWER_HEAD, ANSWER_HEAD - 4);
    if (typeof body === 'string') out.utf8Write(body, ANSWER_HEAD);
    else out.set(body, ANSWER_HEAD);
    const written = this.#socket.writableLength > 0 ? 0 : this.#writeNow(out, size);
    if (written === size) return undefined;
    const rest = Buffer.from(out.subarray(written, size)); // `out` will be used again
    return new Promise((resolve) => this.#socket.write(rest, resolve));
  }

  #writeNow(out, size) {
    try {
      return fs.writeSync(this.#descriptor, out, 0, size);
    } catch (error) {
      if (error.code === 'EAGAIN') return 0;
      lost(error.message);
    }
  }

  #received(chunk) {
    let rest = chunk;
    if (this.#parts.length > 0) {
      this.#parts.push(Buffer.from(chunk));
      this.#bytes += chunk.length;
      if (this.#bytes < this.#wanted) return true;
      rest = Buffer.concat(this.#parts);
      this.#parts = [];
    }
    this.#wanted = sizeOf(rest);
    if (rest.length < this.#wanted) {
      this.#parts = [Buffer.from(rest)];
      this.#bytes = rest.length;
    } else {
      this.#socket.unref(); // while the handler runs, its own work alone keeps the loop alive
      this.#onEvent(parse(rest));
    }
    return true; // go on reading
  }
}

/** Return how long the event that `buffer` begins with is, as far as one can tell. */
function sizeOf(buffer) {
  if (buffer.length < EVENT_HEAD) return EVENT_HEAD;
  return EVENT_HEAD + buffer.readUInt32LE(0) + buffer.readUInt32LE(4);
}

function parse(buffer) {
  const start = EVENT_HEAD + buffer.readUInt32LE(0);
  const head = buffer.utf8Slice(EVENT_HEAD, start).split('\n');
  const [requestId, deadlineMs, functionArn, traceId, clientContext] = head;
  const body = buffer.utf8Slice(start, start + buffer.readUInt32LE(4));
  return { requestId, deadlineMs: +deadlineMs, functionArn, traceId, clientContext, body };
}

function length(body) {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}
