"""gevent's own server with an application that holds a poll: serve_gevent.py HOST:PORT."""

import json
import sys
from urllib.parse import parse_qs

from gevent import Timeout, monkey

monkey.patch_all()

from gevent.event import AsyncResult  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

topics = {}


class Topic:
    def __init__(self):
        self.next = AsyncResult()  # one for all waiters
        self.last = 0
        self.waiting = 0


def answer(start_response, status, kind, content):
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content)))])
    return [content]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/plaintext":
        return answer(start_response, "200 OK", "text/plain", b"Hello, World!")
    if path.startswith("/poll/"):
        topic = topics.setdefault(path[6:], Topic())
        timeout = float(parse_qs(environ["QUERY_STRING"]).get("timeout", ["30"])[0])
        topic.waiting += 1
        try:
            message = topic.next.get(timeout=timeout)
        except Timeout:
            start_response("204 No Content", [])
            return []
        finally:
            topic.waiting -= 1
        return answer(start_response, "200 OK", "application/json", message)
    if path.startswith("/publish/"):
        topic = topics.setdefault(path[9:], Topic())
        topic.last += 1
        reached, done = topic.waiting, topic.next
        topic.next = AsyncResult()
        data = environ["wsgi.input"].read().decode()
        done.set(json.dumps({"id": topic.last, "data": data}).encode())
        told = json.dumps({"id": topic.last, "reached": reached}).encode()
        return answer(start_response, "200 OK", "application/json", told)
    return answer(start_response, "404 Not Found", "text/plain", b"")


WSGIServer(sys.argv[1], application, backlog=4096, log=None).serve_forever()
