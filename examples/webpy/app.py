"""A web.py application: bin/weir run app --chdir examples/webpy"""

import hashlib
import html
import json
import os
import time

import web
from web.httpserver import StaticMiddleware

web.config.debug = False
web.config.session_parameters.secret_key = os.environ.get("SECRET_KEY", "only for this example")

urls = (
    "/", "Index",
    "/hello/(.+)", "Hello",
    "/form", "Form",
    "/json", "Add",
    "/upload", "Upload",
    "/count", "Count",
    "/stream", "Stream",
    "/old", "Old",
    "/error", "Error",
)
app = web.application(urls, globals())
# In files, because the next request may come to another worker.
sessions = os.environ.get("SESSIONS", os.path.join(os.path.dirname(os.path.abspath(__file__)), "sessions"))
os.makedirs(sessions, mode=0o700, exist_ok=True)
session = web.session.Session(app, web.session.DiskStore(sessions), initializer={"count": 0})


class Index:
    def GET(self):
        web.header("Content-Type", "text/html; charset=utf-8")
        return '<!doctype html><title>web.py</title><link rel="stylesheet" href="/static/style.css"><h1>Hello from web.py</h1>'


class Hello:
    def GET(self, name):
        return "Hello, %s!" % html.escape(name)


class Form:
    def POST(self):
        form = web.input("name", "drink")
        return "%s takes %s" % (html.escape(form.name), html.escape(form.drink))


class Add:
    def POST(self):
        web.header("Content-Type", "application/json")
        return json.dumps({"sum": sum(json.loads(web.data())["numbers"])})


class Upload:
    def POST(self):
        upload = web.input(file={}).file
        digest, size = hashlib.sha256(), 0
        while True:
            block = upload.file.read(1 << 20)
            if not block:
                break
            digest.update(block)
            size += len(block)
        web.header("Content-Type", "application/json")
        return json.dumps({"name": upload.filename, "size": size, "sha256": digest.hexdigest()})


class Count:
    def GET(self):
        session.count += 1
        return str(session.count)


class Stream:
    def GET(self):
        web.header("Content-Type", "text/plain")
        for i in range(5):
            yield "%d %f\n" % (i, time.time())
            time.sleep(0.1)


class Old:
    def GET(self):
        raise web.found("/")


class Error:
    def GET(self):
        raise RuntimeError("made to fail")


application = app.wsgifunc(StaticMiddleware)
