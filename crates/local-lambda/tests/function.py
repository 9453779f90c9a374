"""A function for the host's tests: speaks the Runtime API and does what each event asks of it."""

import http.client
import json
import os
import sys
import time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, body, {"Content-Type": "application/json"})
    answer = api.getresponse()
    return answer, answer.read()


match os.environ.get("INIT"):
    case "exit":
        sys.exit(3)
    case "error":
        call("POST", "init/error", json.dumps({"errorType": "NoTable", "errorMessage": "TABLE_NAME is missing"}))
        sys.exit(1)
    case "hang":
        time.sleep(60)

while True:
    answer, event = call("GET", "invocation/next")
    event = json.loads(event)
    request_id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    if "print" in event:
        print(event["print"], flush=True)
    if "begin" in event:
        open(event["begin"], "w").close()
    time.sleep(event.get("sleep", 0))
    if "end" in event:
        open(event["end"], "w").close()
    if "exit" in event:
        os._exit(event["exit"])
    if "error" in event:
        call("POST", f"invocation/{request_id}/error", json.dumps({"errorType": event["error"], "errorMessage": "asked for"}))
        continue
    result = {
        "pid": os.getpid(),
        "deadline_ms": int(answer.getheader("Lambda-Runtime-Deadline-Ms")) - time.time() * 1000,
        "environment": dict(os.environ) if "environment" in event else None,
        "event": event if "echo" in event or "version" in event else None,
        "fill": "x" * event.get("fill", 0),
    }
    call("POST", f"invocation/{request_id}/response", json.dumps(result))
    if event.get("then") == "exit":
        os._exit(0)
