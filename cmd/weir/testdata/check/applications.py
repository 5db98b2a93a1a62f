"""Applications that break PEP 3333, each in its own way, and some that do not."""

import os
import time

PLAIN = [("Content-Type", "text/plain")]


def answering(status="200 OK", headers=PLAIN, content=(b"content",)):
    def application(environ, start_response):
        start_response(status, list(headers) if type(headers) is list else headers)
        return list(content)

    return application


good = answering()
empty = answering("204 No Content", [], [])
no_type = answering(headers=[])
no_reason = answering("200")
tuple_headers = answering(headers=(("Content-Type", "text/plain"),))
short = answering(headers=PLAIN + [("Content-Length", "10")])
long = answering(headers=PLAIN + [("Content-Length", "3")])
connection = answering(headers=PLAIN + [("Connection", "close")])
status_field = answering(headers=PLAIN + [("Status", "200")])
failing = answering("500 Internal Server Error")


def raising(environ, start_response):
    raise ValueError("on purpose")


def raising_late(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"content"
    raise ValueError("on purpose")


def silent(environ, start_response):
    return [b"content"]


def dying(environ, start_response):
    os._exit(3)


def hanging(environ, start_response):
    time.sleep(60)


def endless(environ, start_response):
    start_response("200 OK", PLAIN)
    while True:
        yield b"content" * 10000


def printing(environ, start_response):
    print("printed here")
    start_response("200 OK", PLAIN)
    return [environ["REQUEST_METHOD"].encode(), environ["PATH_INFO"].encode(), environ["QUERY_STRING"].encode()]


def reading(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", PLAIN)
    return []


class Unclosed:
    """Content whose close fails."""

    def __iter__(self):
        return iter([b"content"])

    def close(self):
        raise ValueError("on purpose")


def unclosed(environ, start_response):
    start_response("200 OK", PLAIN)
    return Unclosed()
