// A URL shortener behind a load balancer: POST /shorten makes a code, GET /CODE redirects.
//
// The codes live in this process's memory: they last as long as its execution environment, and
// another environment does not know them. Keep them in a database if you mean it.

const { createHash } = require('node:crypto');
const { STATUS_CODES } = require('node:http');

const CODE_LENGTH = 7;

const urls = new Map();

exports.handler = async (event) => {
  try {
    return respond(event, ...route(event));
  } catch (error) {
    console.error(error);
    return respond(event, 500, { error: 'see the log' });
  }
};

function route(event) {
  if (event.httpMethod === 'POST' && event.path === '/shorten') return shorten(event);
  if (event.httpMethod === 'GET') return redirect(event.path.slice(1));
  return [405, { error: 'use POST /shorten or GET /CODE' }, { Allow: 'GET, POST' }];
}

function shorten(event) {
  const longUrl = longUrlOf(event);
  if (longUrl === undefined) return [400, { error: 'send JSON: {"longUrl": "https://..."}' }];
  if (!isUrl(longUrl)) return [400, { error: 'longUrl must be a URL' }];
  const shortCode = codeFor(longUrl);
  urls.set(shortCode, longUrl);
  return [201, { shortCode, longUrl }];
}

function redirect(code) {
  const longUrl = urls.get(code);
  if (longUrl === undefined) return [404, { error: 'unknown code' }];
  return [301, { longUrl }, { Location: longUrl }];
}

// Tells whether a value can stand in a Location header: a string without spaces and controls.
function isUrl(value) {
  return typeof value === 'string' && /^[^\p{C}\p{Z}]+$/u.test(value);
}

// The same URL has the same code.
function codeFor(longUrl) {
  return createHash('sha256').update(longUrl).digest('base64url').slice(0, CODE_LENGTH);
}

function longUrlOf(event) {
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8').toString();
  try {
    return JSON.parse(body)?.longUrl;
  } catch {
    return undefined;
  }
}

function respond(event, statusCode, document, headers = {}) {
  const all = { 'Content-Type': 'application/json', ...headers };
  const response = {
    statusCode,
    statusDescription: `${statusCode} ${STATUS_CODES[statusCode]}`,
    isBase64Encoded: false,
    body: JSON.stringify(document),
  };
  if (event.multiValueHeaders) {
    const lists = Object.entries(all).map(([name, value]) => [name, [value]]);
    return { ...response, multiValueHeaders: Object.fromEntries(lists) };
  }
  return { ...response, headers: all };
}
