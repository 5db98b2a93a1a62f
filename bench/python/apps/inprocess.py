"""What a request costs without any server: inprocess.py MODULE SECONDS prints the CPU time of one, in microseconds.

Decodes an environ as it comes to a worker, calls the application, and encodes what goes back.
"""

import importlib
import io
import marshal
import sys
import time

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/plaintext",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "26000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "41234",
    "REQUEST_URI": "/plaintext",
    "RAW_URI": "/plaintext",
    "HTTP_HOST": "127.0.0.1:26000",
}
CONSTANT = {
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": False,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
BATCH = 100


def requests(app, recorded, count):
    replies = []
    for _ in range(count):
        environ = marshal.loads(recorded)
        environ.update(CONSTANT)
        environ["wsgi.input"] = io.BytesIO()
        head = []

        def start_response(status, headers, exc_info=None):
            head[:] = status, headers

        result = app(environ, start_response)
        content = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        replies.append((marshal.dumps(tuple(head), 2), content))
    return replies


def main():
    app = importlib.import_module(sys.argv[1]).app
    recorded = marshal.dumps(ENVIRON, 2)
    (head, content), = requests(app, recorded, 1)
    assert marshal.loads(head)[0] == "200 OK" and content == b"Hello, World!", (head, content)
    requests(app, recorded, 20 * BATCH)
    count = 0
    began, end = time.process_time(), time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        requests(app, recorded, BATCH)
        count += BATCH
    print((time.process_time() - began) / count * 1e6)


main()
