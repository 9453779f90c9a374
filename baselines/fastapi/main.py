"""The hit counter as one writes it with FastAPI: one process, which keeps the count in memory."""

from itertools import count

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(openapi_url=None)
numbers = count(1)


@app.get("/hits")
async def hits() -> PlainTextResponse:
    return PlainTextResponse(str(next(numbers)), headers={"Cache-Control": "no-store"})


@app.get("/healthz")
async def healthz() -> PlainTextResponse:
    return PlainTextResponse("ok")
