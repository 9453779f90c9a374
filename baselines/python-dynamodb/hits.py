"""The hit counter on DynamoDB: one item, one atomic write a hit."""

import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event, context):
    if event["requestContext"]["http"]["method"] != "GET":
        return {"statusCode": 405, "headers": {"Allow": "GET"}}
    # counter-dynamodb has item 0, the other baselines theirs.
    updated = table.update_item(
        Key={"id": 1},
        UpdateExpression="ADD hits :one",
        ExpressionAttributeValues={":one": 1},
        ReturnValues="UPDATED_NEW",
    )
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Cache-Control": "no-store"},
        "body": str(updated["Attributes"]["hits"]),
    }
