"""The hit counter on DynamoDB as it is published: read, add one, write. Two hits at the same time lose one."""

import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
# counter-dynamodb has item 0, the other baselines theirs.
KEY = {"id": 5}


def handler(event, context):
    if event["requestContext"]["http"]["method"] != "GET":
        return {"statusCode": 405, "headers": {"Allow": "GET"}}
    # An item that is not there is none so far.
    hits = table.get_item(Key=KEY).get("Item", {"hits": 0})["hits"] + 1
    table.update_item(
        Key=KEY,
        UpdateExpression="SET hits = :hits",
        ExpressionAttributeValues={":hits": hits},
    )
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Cache-Control": "no-store"},
        "body": str(hits),
    }
