"""The hit counter on S3: compare-and-swap on the object's ETag, kept between invocations."""

import os
import random
import time

import boto3
from botocore.exceptions import ClientError

OBJECT = {"Bucket": os.environ["BUCKET_NAME"], "Key": "python/hits"}
# Somebody else wrote first, or is writing.
LOST = ("PreconditionFailed", "ConditionalRequestConflict")

s3 = boto3.client("s3")
# The count and its ETag as this environment knows them.
known = None


def read():
    try:
        found = s3.get_object(**OBJECT)
    except s3.exceptions.NoSuchKey:
        return 0, None
    return int(found["Body"].read()), found["ETag"]


def hit(context):
    global known
    while True:
        # Until it is written, nothing is known: any error leaves it so.
        (hits, etag), known = known or read(), None
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        try:
            written = s3.put_object(**OBJECT, **condition, Body=str(hits + 1), ContentType="text/plain")
        except ClientError as error:
            if error.response["Error"]["Code"] not in LOST or context.get_remaining_time_in_millis() < 500:
                raise
            time.sleep(random.uniform(0, 0.02))
            continue
        known = hits + 1, written["ETag"]
        return hits + 1


def handler(event, context):
    if event["requestContext"]["http"]["method"] != "GET":
        return {"statusCode": 405, "headers": {"Allow": "GET"}}
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain", "Cache-Control": "no-store"},
        "body": str(hit(context)),
    }
