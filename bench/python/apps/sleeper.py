"""The least that an application can do, and a view that sleeps: /sleep?ms=50."""

import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        time.sleep(int(environ["QUERY_STRING"].removeprefix("ms=")) / 1e3)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]
