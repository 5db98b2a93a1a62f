"""A WSGI application: bin/weir run hello:app --chdir examples/wsgi"""


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello from %s\n" % environ["PATH_INFO"].encode("latin-1")]
