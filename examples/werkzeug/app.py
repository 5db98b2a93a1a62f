"""An application out of Werkzeug's parts: bin/weir run app --chdir examples/werkzeug"""

import hashlib
import json
import os
import time

from itsdangerous import BadSignature, Signer
from markupsafe import escape
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.shared_data import SharedDataMiddleware
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

HERE = os.path.dirname(os.path.abspath(__file__))
signer = Signer(os.environ.get("SECRET_KEY", "only for this example"))


def html(text):
    return Response(text, mimetype="text/html")


def index(request):
    return html('<!doctype html><title>Werkzeug</title><link rel="stylesheet" href="/static/style.css"><h1>Hello from Werkzeug</h1>')


def hello(request, name):
    return html(f"Hello, {escape(name)}!")


def form(request):
    return html(f"{escape(request.form['name'])} takes {escape(request.form['drink'])}")


def add(request):
    return Response(json.dumps({"sum": sum(request.get_json()["numbers"])}), mimetype="application/json")


def upload(request):
    file = request.files["file"]
    digest, size = hashlib.sha256(), 0
    while block := file.stream.read(1 << 20):
        digest.update(block)
        size += len(block)
    found = {"name": file.filename, "size": size, "sha256": digest.hexdigest()}
    return Response(json.dumps(found), mimetype="application/json")


def count(request):
    try:
        n = int(signer.unsign(request.cookies.get("count", "")))
    except BadSignature:
        n = 0
    response = Response(str(n + 1))
    response.set_cookie("count", signer.sign(str(n + 1)).decode(), httponly=True)
    return response


def stream(request):
    def lines():
        for i in range(5):
            yield f"{i} {time.time()}\n"
            time.sleep(0.1)

    return Response(lines(), mimetype="text/plain")


def old(request):
    return redirect("/")


def error(request):
    raise RuntimeError("made to fail")


urls = Map(
    [
        Rule("/", endpoint=index, methods=["GET"]),
        Rule("/hello/<name>", endpoint=hello, methods=["GET"]),
        Rule("/form", endpoint=form, methods=["POST"]),
        Rule("/json", endpoint=add, methods=["POST"]),
        Rule("/upload", endpoint=upload, methods=["POST"]),
        Rule("/count", endpoint=count, methods=["GET"]),
        Rule("/stream", endpoint=stream, methods=["GET"]),
        Rule("/old", endpoint=old, methods=["GET"]),
        Rule("/error", endpoint=error, methods=["GET"]),
    ]
)


@Request.application
def application(request):
    try:
        endpoint, arguments = urls.bind_to_environ(request.environ).match()
        return endpoint(request, **arguments)
    except HTTPException as e:
        return e


application = SharedDataMiddleware(application, {"/static": os.path.join(HERE, "static")})
