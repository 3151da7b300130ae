/**
 * A client of the Lambda Runtime API: HTTP/1.1 on one kept-alive connection, pipelined.
 *
 * Requests written in the same turn leave in one system call, so that a response and the question
 * for the next event cost one round trip together. A plain socket needs half the CPU time of
 * node:http, which is what an invocation mostly costs.
 */

import net from 'node:net';

const RUNTIME = '/2018-06-01/runtime';
const HEAD_END = '\r\n\r\n';
const ATTEMPTS_MAX = 2; // a kept-alive connection may be closed while we write: try once more
const EXIT_NO_RUNTIME_API = 1;
const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';

export class RuntimeApi {
  #host;
  #port;
  #socket = null;
  #waiting = []; // requests without an answer, oldest first
  #chunks = [];
  #bytes = 0; // in #chunks
  #wanted = 1; // bytes that must be in #chunks before another look at them is worthwhile

  /** `address` is HOST:PORT. Nothing is sent yet. */
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.#host = address.slice(0, colon);
    this.#port = Number(address.slice(colon + 1));
  }

  /** Wait for an event and call `onEvent` with it. */
  next(onEvent) {
    this.#send('GET', '/invocation/next').then(({ status, headers, body }) => {
      if (status !== 200) lost(`answered ${status}: ${body}`);
      onEvent(eventOf(headers, body));
    });
  }

  /**
   * Answer an invocation with JSON text, or bytes. If the Runtime API will not have it, so be it.
   */
  respond(requestId, body) {
    return this.#send('POST', `/invocation/${encodeURIComponent(requestId)}/response`, body);
  }

  /** Answer an invocation with an error document. */
  fail(requestId, document) {
    return this.#sendError(`/invocation/${encodeURIComponent(requestId)}/error`, document);
  }

  /** The same, when this process is about to end. */
  failLast(requestId, document) {
    return this.fail(requestId, document);
  }

  /** Begin a result that comes in parts, on a connection of its own, and return where they go. */
  openStream(requestId, contentType) {
    const path = `${RUNTIME}/invocation/${encodeURIComponent(requestId)}/response`;
    return new UploadStream(this.#host, this.#port, path, contentType);
  }

  /** Report that the function cannot be initialized. */
  failInit(document) {
    return this.#sendError('/init/error', document);
  }

  #sendError(path, document) {
    // An error's name is the function's: whatever cannot stand in a header is left out.
    const type = document.errorType.replace(/[^\x20-\x7e]/g, '');
    const header = `Lambda-Runtime-Function-Error-Type: ${type}\r\n`;
    return this.#send('POST', path, JSON.stringify(document), header);
  }

  #send(method, path, body = '', header = '') {
    const start = `${method} ${RUNTIME}${path} HTTP/1.1\r\nHost: ${this.#host}:${this.#port}\r\n`;
    const about =
      method === 'GET'
        ? ''
        : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    return new Promise((resolve) => {
      const head = `${start}${about}${header}\r\n`;
      const data = typeof body === 'string' ? head + body : Buffer.concat([Buffer.from(head), body]);
      const request = { data, resolve, failures: 0, mayFail: method === 'POST' };
      this.#waiting.push(request);
      this.#write(request);
    });
  }

  #write(request) {
    this.#socket ??= this.#connect();
    const socket = this.#socket;
    socket.ref();
    socket.cork();
    socket.write(request.data);
    process.nextTick(() => socket.uncork());
  }

  #connect() {
    const socket = net.connect({ host: this.#host, port: this.#port, noDelay: true });
    let reason = 'closed the connection';
    socket.on('error', (error) => (reason = error.message));
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('close', () => this.#closed(reason));
    return socket;
  }

  #received(chunk) {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes >= this.#wanted) {
      const buffer = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
      const { answer, size } = parse(buffer);
      this.#wanted = answer ? 1 : size;
      this.#bytes -= answer ? size : 0;
      this.#chunks = [answer ? buffer.subarray(size) : buffer];
      if (this.#bytes === 0) this.#chunks = [];
      if (answer) this.#waiting.shift().resolve(answer);
    }
    // While the handler runs, its own work alone keeps the event loop alive.
    if (this.#waiting.length === 0) this.#socket.unref();
  }

  #closed(reason) {
    this.#socket = null;
    this.#chunks = [];
    this.#bytes = 0;
    this.#wanted = 1;
    const [oldest] = this.#waiting; // the others were not at fault
    if (oldest === undefined) return;
    oldest.failures += 1;
    if (oldest.failures === ATTEMPTS_MAX) {
      if (!oldest.mayFail) lost(reason);
      this.#waiting.shift().resolve(null);
    }
    for (const request of this.#waiting) this.#write(request);
  }
}

/** One result in chunks. Each method returns a promise of its end. */
class UploadStream {
  #socket;
  #answered;

  constructor(host, port, path, contentType) {
    this.#socket = net.connect({ host, port, noDelay: true });
    this.#answered = new Promise((resolve) => {
      this.#socket.once('data', resolve);
      this.#socket.once('close', resolve);
    });
    this.#socket.on('error', () => {}); // 'close' follows
    this.#socket.unref(); // what the handler does keeps the event loop alive, or nothing
    this.#socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        `Content-Type: ${contentType.replace(/[^\x20-\x7e]/g, '')}\r\n` +
        'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n' +
        `Trailer: ${ERROR_TYPE}, ${ERROR_BODY}\r\n\r\n`,
    );
  }

  write(bytes) {
    this.#socket.write(`${bytes.length.toString(16)}\r\n`);
    this.#socket.write(bytes);
    return new Promise((resolve) => this.#socket.write('\r\n', resolve));
  }

  async end(trailers = '') {
    this.#socket.ref();
    this.#socket.write(`0\r\n${trailers}\r\n`);
    await this.#answered;
    this.#socket.destroy();
  }

  fail(document) {
    const type = document.errorType.replace(/[^\x20-\x7e]/g, '');
    const body = Buffer.from(JSON.stringify(document)).toString('base64');
    return this.end(`${ERROR_TYPE}: ${type}\r\n${ERROR_BODY}: ${body}\r\n`);
  }

  failLast(document) {
    return this.fail(document);
  }
}

/**
 * Read one HTTP answer from the start of `buffer`.
 *
 * `{answer: {status, headers, body}, size}`, or, while it is incomplete, `{size}`: the least number
 * of bytes with which it might be complete.
 */
function parse(buffer) {
  const end = buffer.indexOf(HEAD_END);
  if (end < 0) return { size: buffer.length + 1 };
  const [statusLine, ...lines] = buffer.utf8Slice(0, end).split('\r\n');
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const length = headers.get('content-length');
  if (length === undefined) lost('answered without Content-Length');
  const start = end + HEAD_END.length;
  const size = start + Number(length);
  if (buffer.length < size) return { size };
  const status = Number(statusLine.split(' ', 2)[1]);
  return { answer: { status, headers, body: buffer.utf8Slice(start, size) }, size };
}

function eventOf(headers, body) {
  return {
    requestId: headers.get('lambda-runtime-aws-request-id'),
    deadlineMs: Number(headers.get('lambda-runtime-deadline-ms')),
    functionArn: headers.get('lambda-runtime-invoked-function-arn'),
    traceId: headers.get('lambda-runtime-trace-id'),
    clientContext: headers.get('lambda-runtime-client-context'),
    identity: headers.get('lambda-runtime-cognito-identity'),
    body,
  };
}

/** Without the host there is nothing left to do, and nobody to tell but the log. */
export function lost(reason) {
  process.stderr.write(`The Lambda host ${reason}\n`);
  process.exit(EXIT_NO_RUNTIME_API);
}
