"""A function for the host's tests: speaks the Runtime API and does what each event asks of it."""

import http.client
import json
import os
import subprocess
import sys
import time

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, body, {"Content-Type": "application/json"})
    answer = api.getresponse()
    return answer, answer.read()


def command(event):
    """What an event asks for. A batch of messages asks for what their bodies ask for, each for so many "times" only."""
    if "Records" not in event:
        return event
    asked = {}
    for record in event["Records"]:
        body = json.loads(record["body"])
        if int(record["attributes"]["ApproximateReceiveCount"]) <= body.get("times", sys.maxsize):
            asked |= body
            if body.get("fail"):
                asked.setdefault("failures", []).append({"itemIdentifier": record["messageId"]})
    return asked


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
    if "EVENTS" in os.environ:
        with open(os.environ["EVENTS"], "a") as events:
            events.write(json.dumps(event) + "\n")
    event = command(event)
    if "print" in event:
        print(event["print"], flush=True)
    if "child" in event:
        child = subprocess.Popen(["sleep", "600"])
        with open(event["child"], "w") as file:
            file.write(f"{child.pid}\n")
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
        "batchItemFailures": event.get("failures", []),
        "event": event if "echo" in event or "version" in event else None,
        "fill": "x" * event.get("fill", 0),
    }
    call("POST", f"invocation/{request_id}/response", json.dumps(result))
    if event.get("then") == "exit":
        os._exit(0)
