"""The application of the Python servers in the comparison."""

from urllib.parse import parse_qs

BLOCK = b"0123456789abcdef" * 4096


def application(environ, start_response):
    path = environ.get("PATH_INFO", "")
    if path == "/plaintext":
        content = b"Hello, World!"
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
        return [content]
    if path == "/bytes":
        n = int(parse_qs(environ.get("QUERY_STRING", ""))["n"][0])
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(n))])
        return blocks(n)
    start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return []


def blocks(n):
    while n > 0:
        yield BLOCK[:n]
        n -= len(BLOCK)
