"""A Flask application: bin/weir run app:app --chdir examples/flask"""

import hashlib
import os
import time

from flask import Flask, redirect, request, session, url_for
from markupsafe import escape

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "only for this example")


@app.get("/")
def index():
    style = url_for("static", filename="style.css")
    return f'<!doctype html><title>Flask</title><link rel="stylesheet" href="{style}"><h1>Hello from Flask</h1>'


@app.get("/hello/<name>")
def hello(name):
    return f"Hello, {escape(name)}!"


@app.post("/form")
def form():
    return f"{escape(request.form['name'])} takes {escape(request.form['drink'])}"


@app.post("/json")
def add():
    return {"sum": sum(request.get_json()["numbers"])}


@app.post("/upload")
def upload():
    file = request.files["file"]
    digest, size = hashlib.sha256(), 0
    while block := file.stream.read(1 << 20):
        digest.update(block)
        size += len(block)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}


@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.get("/stream")
def stream():
    def lines():
        for i in range(5):
            yield f"{i} {time.time()}\n"
            time.sleep(0.1)

    return app.response_class(lines(), mimetype="text/plain")


@app.get("/old")
def old():
    return redirect(url_for("index"))


@app.get("/error")
def error():
    raise RuntimeError("made to fail")
