"""The least that an application can do, and a view that sleeps 50 ms."""

import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]
