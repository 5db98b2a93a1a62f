"""A Pyramid application: bin/weir run 'app:main()' --chdir examples/pyramid"""

import hashlib
import html
import os
import time

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory
from pyramid.view import view_config

HERE = os.path.dirname(os.path.abspath(__file__))


@view_config(route_name="index", request_method="GET")
def index(request):
    style = request.static_path(os.path.join(HERE, "static/style.css"))
    return Response(f'<!doctype html><title>Pyramid</title><link rel="stylesheet" href="{style}"><h1>Hello from Pyramid</h1>')


@view_config(route_name="hello", request_method="GET")
def hello(request):
    return Response(f"Hello, {html.escape(request.matchdict['name'])}!")


@view_config(route_name="form", request_method="POST")
def form(request):
    return Response(f"{html.escape(request.POST['name'])} takes {html.escape(request.POST['drink'])}")


@view_config(route_name="json", request_method="POST", renderer="json")
def add(request):
    return {"sum": sum(request.json_body["numbers"])}


@view_config(route_name="upload", request_method="POST", renderer="json")
def upload(request):
    file = request.POST["file"]
    digest, size = hashlib.sha256(), 0
    while block := file.file.read(1 << 20):
        digest.update(block)
        size += len(block)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}


@view_config(route_name="count", request_method="GET", renderer="string")
def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return request.session["count"]


@view_config(route_name="stream", request_method="GET")
def stream(request):
    def lines():
        for i in range(5):
            yield f"{i} {time.time()}\n".encode()
            time.sleep(0.1)

    return Response(app_iter=lines(), content_type="text/plain")


@view_config(route_name="old", request_method="GET")
def old(request):
    return HTTPFound(request.route_path("index"))


@view_config(route_name="error", request_method="GET")
def error(request):
    raise RuntimeError("made to fail")


def main(**settings):
    secret = os.environ.get("SECRET_KEY", "only for this example")
    with Configurator(settings=settings, session_factory=SignedCookieSessionFactory(secret)) as config:
        config.add_route("index", "/")
        config.add_route("hello", "/hello/{name}")
        for name in ("form", "json", "upload", "count", "stream", "old", "error"):
            config.add_route(name, "/" + name)
        config.add_static_view("static", os.path.join(HERE, "static"))
        config.scan(__name__)
        return config.make_wsgi_app()
