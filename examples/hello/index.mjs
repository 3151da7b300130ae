// Answers with what it saw of the request, and with how often this environment has been asked.

let invocations = 0;

export const handler = async (event, context) => {
  invocations += 1;
  const document = {
    hello: 'from Node.js',
    method: event.httpMethod,
    path: event.path,
    query: event.queryStringParameters ?? event.multiValueQueryStringParameters,
    requestId: context.awsRequestId,
    invocations,
  };
  const response = {
    statusCode: 200,
    statusDescription: '200 OK',
    isBase64Encoded: false,
    body: `${JSON.stringify(document)}\n`,
  };
  return event.multiValueHeaders
    ? { ...response, multiValueHeaders: { 'Content-Type': ['application/json'] } }
    : { ...response, headers: { 'Content-Type': 'application/json' } };
};
