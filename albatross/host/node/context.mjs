/** The handler's `context`. Source: Lambda developer guide, "Using the Lambda context object". */

/**
 * Return the context of the invocation of `event`.
 *
 * Also sets _X_AMZN_TRACE_ID. Throws if what must be JSON is not.
 */
export function contextOf(event) {
  const { traceId, deadlineMs } = event;
  if (traceId) process.env._X_AMZN_TRACE_ID = traceId;
  else delete process.env._X_AMZN_TRACE_ID;
  return {
    functionVersion,
    functionName,
    memoryLimitInMB,
    logGroupName,
    logStreamName,
    clientContext: parsed(event.clientContext, 'ClientContext'),
    identity: parsed(event.identity, 'CognitoIdentity'),
    invokedFunctionArn: event.functionArn,
    awsRequestId: event.requestId,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

const {
  AWS_LAMBDA_FUNCTION_VERSION: functionVersion,
  AWS_LAMBDA_FUNCTION_NAME: functionName,
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: memoryLimitInMB,
  AWS_LAMBDA_LOG_GROUP_NAME: logGroupName,
  AWS_LAMBDA_LOG_STREAM_NAME: logStreamName,
} = process.env;

function parsed(text, name) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}
