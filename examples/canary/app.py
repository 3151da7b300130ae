"""Answers with the version that its environment names."""

import os


def handler(event, context):
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain"},
        "body": os.environ["VERSION"] + "\n",
    }
