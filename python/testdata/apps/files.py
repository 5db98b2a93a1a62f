"""Files and early hints. The path says what is done, the query with what: name, offset, Content-Length."""
import gzip
import io
import os

TEXT = [("Content-Type", "text/plain")]


def app(environ, start_response):
    path = environ["PATH_INFO"]
    wrapper = environ["wsgi.file_wrapper"]
    name, offset, length = (environ["QUERY_STRING"] + ",,").split(",")[:3]
    headers = TEXT + [("Content-Length", length)] * (length != "")
    if path == "/file" or path == "/written":
        write = start_response("200 OK", headers)
        f = open(name, "rb")
        f.seek(int(offset or 0))
        if path == "/written":
            write(b"written, ")
        return wrapper(f)
    if path == "/moved":  # what was read from the file's buffer is not sent
        start_response("200 OK", headers)
        f = open(name, "rb")
        f.read(int(offset))
        return wrapper(f)
    if path == "/bytesio":
        start_response("200 OK", headers)
        f = io.BytesIO(b"0123456789" * 20000)
        f.seek(int(offset or 0))
        return wrapper(f, 4096)
    if path == "/pipe":
        start_response("200 OK", headers)
        reading, writing = os.pipe()
        os.write(writing, b"through a pipe")
        os.close(writing)
        return wrapper(open(reading, "rb"))
    if path == "/gzip":
        start_response("200 OK", headers)
        return wrapper(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"unpacked"))))
    if path == "/no-content":
        start_response("304 Not Modified", [])
        return wrapper(open(name, "rb"))
    if path == "/hints" or path == "/streamed-hints":
        for link in ("</a.css>; rel=preload", "</b.js>; rel=preload"):
            environ["wsgi.early_hints"]([("Link", link)])
        if path == "/streamed-hints":
            write = start_response("200 OK", TEXT)
            write(b"hin")
            environ["wsgi.early_hints"]([("Link", "</late>")])
            return [b"ted"]
        start_response("200 OK", headers)
        return [b"hinted"]
    if path == "/bad-hints":
        environ["wsgi.early_hints"]([("Connection", "close")])
    start_response("404 Not Found", TEXT)
    return []
