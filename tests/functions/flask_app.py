"""A Flask application behind apig-wsgi, and behind serverless-wsgi."""

import serverless_wsgi
from apig_wsgi import make_lambda_handler
from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/hello")
def hello() -> str:
    return "hello"


@app.route("/echo/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
def echo(rest: str) -> Response:
    return jsonify(
        method=request.method,
        path=rest,
        query=[list(pair) for pair in request.args.items(multi=True)],
        cookies=dict(request.cookies),
        host=request.host,
        scheme=request.scheme,
        client=request.remote_addr,
        agent=request.headers.get("X-Agent"),
    )


@app.post("/form")
def form() -> Response:
    return jsonify([list(pair) for pair in request.form.items(multi=True)])


@app.post("/json")
def document() -> Response:
    return jsonify(request.json)


@app.post("/png")
def png() -> Response:
    return Response(request.data[::-1], content_type="image/png")


@app.get("/cookies")
def cookies() -> Response:
    response = Response("set")
    response.set_cookie("a", "1", path="/")
    response.set_cookie("b", "2", httponly=True)
    return response


@app.get("/large")
def large() -> Response:
    return Response("é" * 100_000, content_type="text/plain; charset=utf-8")


@app.post("/length")
def length() -> Response:
    return jsonify(len(request.data))


# Without it, apig-wsgi sends all that is not listed as text, so what is no UTF-8 as garbage.
apig_wsgi = make_lambda_handler(app, binary_support=True)


def serverless(event: dict[str, object], context: object) -> object:
    return serverless_wsgi.handle_request(app, event, context)
