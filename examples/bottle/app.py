"""A Bottle application: bin/weir run app:app --chdir examples/bottle"""

import hashlib
import os
import time

from bottle import Bottle, html_escape, redirect, request, response, static_file

SECRET = os.environ.get("SECRET_KEY", "only for this example")
STATIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "static")

app = Bottle()


@app.get("/")
def index():
    return '<!doctype html><title>Bottle</title><link rel="stylesheet" href="/static/style.css"><h1>Hello from Bottle</h1>'


@app.get("/hello/<name>")
def hello(name):
    return "Hello, %s!" % html_escape(name)


@app.post("/form")
def form():
    return "%s takes %s" % (html_escape(request.forms.name), html_escape(request.forms.drink))


@app.post("/json")
def add():
    return {"sum": sum(request.json["numbers"])}


@app.post("/upload")
def upload():
    upload = request.files["file"]
    digest, size = hashlib.sha256(), 0
    while True:
        block = upload.file.read(1 << 20)
        if not block:
            break
        digest.update(block)
        size += len(block)
    return {"name": upload.filename, "size": size, "sha256": digest.hexdigest()}


@app.get("/count")
def count():
    n = request.get_cookie("count", default=0, secret=SECRET) + 1
    response.set_cookie("count", n, secret=SECRET, httponly=True)
    return str(n)


@app.get("/stream")
def stream():
    response.content_type = "text/plain"
    for i in range(5):
        yield "%d %f\n" % (i, time.time())
        time.sleep(0.1)


@app.get("/old")
def old():
    redirect("/")


@app.get("/error")
def error():
    raise RuntimeError("made to fail")


@app.get("/static/<path:path>")
def static(path):
    return static_file(path, root=STATIC)
