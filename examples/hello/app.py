"""Answers with what it saw of the request, and with how often this environment has been asked."""

import json

invocations = 0


def handler(event, context):
    global invocations
    invocations += 1
    multi_value = "multiValueHeaders" in event
    query = "multiValueQueryStringParameters" if multi_value else "queryStringParameters"
    document = {
        "hello": "from Python",
        "method": event["httpMethod"],
        "path": event["path"],
        "query": event[query],
        "requestId": context.aws_request_id,
        "invocations": invocations,
    }
    response = {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "isBase64Encoded": False,
        "body": json.dumps(document) + "\n",
    }
    if multi_value:
        response["multiValueHeaders"] = {"Content-Type": ["application/json"]}
    else:
        response["headers"] = {"Content-Type": "application/json"}
    return response
