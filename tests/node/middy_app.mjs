/** A handler with middy around it; it asks the AWS SDK's client of STS who it is. */

import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import middy from '@middy/core';

const client = new STSClient({});

const identity = async () => {
  const { Account } = await client.send(new GetCallerIdentityCommand({}));
  return { statusCode: 200, body: Account };
};

export const handler = middy(identity).after((request) => {
  request.response.headers = { 'X-Middy': request.event.httpMethod };
});
