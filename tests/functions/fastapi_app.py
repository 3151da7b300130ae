"""A FastAPI application behind Mangum."""

from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from mangum import Mangum

app = FastAPI()


@app.api_route("/hello", methods=["GET", "HEAD"])
async def hello() -> Response:
    return Response("hello", media_type="text/plain")


@app.api_route("/echo/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"])
async def echo(rest: str, request: Request) -> dict[str, object]:
    return {
        "method": request.method,
        "path": rest,
        "query": [list(pair) for pair in request.query_params.multi_items()],
        "cookies": request.cookies,
        "host": request.headers["host"],
        "scheme": request.url.scheme,
        "client": request.client.host if request.client else None,
        "agent": request.headers.get("x-agent"),
    }


@app.post("/form")
async def form(request: Request) -> list[list[str]]:
    body = (await request.body()).decode()
    return [list(pair) for pair in parse_qsl(body, keep_blank_values=True)]


@app.post("/json")
async def document(body: dict[str, object]) -> dict[str, object]:
    return body


@app.post("/png")
async def png(request: Request) -> Response:
    return Response((await request.body())[::-1], media_type="image/png")


@app.get("/cookies")
async def cookies(response: Response) -> str:
    response.set_cookie("a", "1", path="/")
    response.set_cookie("b", "2", httponly=True)
    return "set"


@app.get("/large")
async def large() -> Response:
    return Response("é" * 100_000, media_type="text/plain; charset=utf-8")


@app.post("/length")
async def length(request: Request) -> int:
    return len(await request.body())


handler = Mangum(app, lifespan="off")
