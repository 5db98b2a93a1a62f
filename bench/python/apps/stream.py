"""Takes content of any length at /up, and answers with as much as it is asked for at /down?LENGTH, in blocks."""

BLOCK = bytes(64 << 10)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/down":
        length = int(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(length))])
        return blocks(length)
    content = b"Hello, World!"
    if path == "/up":
        taken = 0
        while block := environ["wsgi.input"].read(len(BLOCK)):
            taken += len(block)
        content = b"%d" % taken
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
    return [content]


def blocks(length):
    while length > 0:
        yield BLOCK[:length]
        length -= len(BLOCK)
