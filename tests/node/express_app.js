/** An Express application behind serverless-http, and behind @codegenie/serverless-express. */

'use strict';

const express = require('express');
const serverlessHttp = require('serverless-http');
const serverlessExpress = require('@codegenie/serverless-express');

const app = express();
app.disable('x-powered-by');
app.disable('etag');

app.get('/hello', (request, response) => response.type('text/plain').send('hello'));
app.all('/echo/{*rest}', (request, response) => {
  const url = new URL(request.url, 'http://any');
  response.json({
    method: request.method,
    path: request.params.rest.join('/'),
    query: [...url.searchParams.entries()],
    cookies: Object.fromEntries(
      (request.headers.cookie ?? '').split('; ').filter(Boolean).map((pair) => pair.split('=')),
    ),
    host: request.headers.host,
    scheme: request.headers['x-forwarded-proto'],
    client: request.headers['x-forwarded-for'],
    agent: request.headers['x-agent'],
  });
});
app.post('/form', express.urlencoded({ extended: false }), (request, response) => {
  const pairs = Object.entries(request.body).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one]),
  );
  response.json(pairs);
});
app.post('/json', express.json(), (request, response) => response.json(request.body));
app.post('/png', express.raw({ type: 'image/png' }), (request, response) => {
  response.type('image/png').send(Buffer.from(request.body).reverse());
});
app.get('/cookies', (request, response) => {
  response.cookie('a', '1').cookie('b', '2', { httpOnly: true }).send('set');
});
app.get('/large', (request, response) => {
  response.type('text/plain; charset=utf-8').send('é'.repeat(100_000));
});
app.post('/length', express.raw({ type: () => true, limit: '2mb' }), (request, response) => {
  response.json(request.body.length);
});
app.use((request, response) => response.status(404).type('text/plain').send('no such page'));

exports.serverlessHttp = serverlessHttp(app, { binary: ['image/*'], provider: 'aws' });
exports.serverlessExpress = serverlessExpress({
  app,
  binarySettings: { contentTypes: ['image/*'] },
});
