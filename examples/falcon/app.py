"""A Falcon application: bin/weir run app:app --chdir examples/falcon"""

import hashlib
import html
import os
import time

import falcon
from itsdangerous import BadSignature, Signer

HERE = os.path.dirname(os.path.abspath(__file__))
signer = Signer(os.environ.get("SECRET_KEY", "only for this example"))


class Index:
    def on_get(self, req, resp):
        resp.content_type = falcon.MEDIA_HTML
        resp.text = '<!doctype html><title>Falcon</title><link rel="stylesheet" href="/static/style.css"><h1>Hello from Falcon</h1>'


class Hello:
    def on_get(self, req, resp, name):
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"Hello, {html.escape(name)}!"


class Form:
    def on_post(self, req, resp):
        form = req.get_media()
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"{html.escape(form['name'])} takes {html.escape(form['drink'])}"


class Add:
    def on_post(self, req, resp):
        resp.media = {"sum": sum(req.get_media()["numbers"])}


class Upload:
    def on_post(self, req, resp):
        for part in req.get_media():
            if part.name != "file":
                continue
            digest, size = hashlib.sha256(), 0
            while block := part.stream.read(1 << 20):
                digest.update(block)
                size += len(block)
            resp.media = {"name": part.filename, "size": size, "sha256": digest.hexdigest()}


class Count:
    def on_get(self, req, resp):
        try:
            n = int(signer.unsign(req.cookies.get("count", "")))
        except BadSignature:
            n = 0
        resp.set_cookie("count", signer.sign(str(n + 1)).decode(), secure=False)
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = str(n + 1)


class Stream:
    def on_get(self, req, resp):
        def lines():
            for i in range(5):
                yield f"{i} {time.time()}\n".encode()
                time.sleep(0.1)

        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = lines()


class Old:
    def on_get(self, req, resp):
        raise falcon.HTTPFound("/")


class Error:
    def on_get(self, req, resp):
        raise RuntimeError("made to fail")


app = falcon.App()
app.add_route("/", Index())
app.add_route("/hello/{name}", Hello())
app.add_route("/form", Form())
app.add_route("/json", Add())
app.add_route("/upload", Upload())
app.add_route("/count", Count())
app.add_route("/stream", Stream())
app.add_route("/old", Old())
app.add_route("/error", Error())
app.add_static_route("/static", os.path.join(HERE, "static"))
