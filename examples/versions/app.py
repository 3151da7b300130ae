"""Answers with the version of the function that has run."""

GREETING = "hello"


def handler(event, context):
    return {"statusCode": 200, "body": f"{GREETING} from version {context.function_version}\n"}
