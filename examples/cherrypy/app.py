"""A CherryPy application: bin/weir run app --chdir examples/cherrypy"""

import hashlib
import html
import os
import time

import cherrypy

HERE = os.path.dirname(os.path.abspath(__file__))
# In files, because the next request may come to another worker.
SESSIONS = os.environ.get("SESSIONS", os.path.join(HERE, "sessions"))
os.makedirs(SESSIONS, mode=0o700, exist_ok=True)


class Root:
    @cherrypy.expose
    @cherrypy.tools.allow(methods=["GET", "HEAD"])
    def index(self):
        return '<!doctype html><title>CherryPy</title><link rel="stylesheet" href="/static/style.css"><h1>Hello from CherryPy</h1>'

    @cherrypy.expose
    def hello(self, name):
        return "Hello, %s!" % html.escape(name)

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    def form(self, name, drink):
        return "%s takes %s" % (html.escape(name), html.escape(drink))

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    @cherrypy.tools.json_in()
    @cherrypy.tools.json_out()
    def json(self):
        return {"sum": sum(cherrypy.request.json["numbers"])}

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    @cherrypy.tools.json_out()
    def upload(self, file):
        digest, size = hashlib.sha256(), 0
        while True:
            block = file.file.read(1 << 20)
            if not block:
                break
            digest.update(block)
            size += len(block)
        return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}

    @cherrypy.expose
    @cherrypy.tools.sessions()
    def count(self):
        cherrypy.session["count"] = cherrypy.session.get("count", 0) + 1
        return str(cherrypy.session["count"])

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def stream(self):
        cherrypy.response.headers["Content-Type"] = "text/plain"

        def lines():
            for i in range(5):
                yield "%d %f\n" % (i, time.time())
                time.sleep(0.1)

        return lines()

    @cherrypy.expose
    def old(self):
        raise cherrypy.HTTPRedirect("/")

    @cherrypy.expose
    def error(self):
        raise RuntimeError("made to fail")


cherrypy.config.update({"environment": "embedded", "log.screen": True, "log.access_file": ""})
application = cherrypy.Application(
    Root(),
    config={
        "/": {
            "tools.sessions.storage_class": cherrypy.lib.sessions.FileSession,
            "tools.sessions.storage_path": SESSIONS,
        },
        "/static": {"tools.staticdir.on": True, "tools.staticdir.dir": os.path.join(HERE, "static")},
    },
)
