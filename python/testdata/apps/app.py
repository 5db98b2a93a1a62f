"""What the supervisor's tests are served by. The path says what is done."""
import ctypes
import hashlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

TEXT = [("Content-Type", "text/plain")]
closed = []
executors = []


class Body:
    def __init__(self, blocks, pause=0.0, size=65536):
        self.blocks, self.pause, self.size = blocks, pause, size

    def __iter__(self):
        for i in range(int(self.blocks)):
            yield b"x" * int(self.size)
            time.sleep(self.pause)

    def close(self):
        path = os.environ.get("CLOSED")
        if path:
            with open(path, "a") as f:
                f.write("closed\n")


marks = os.open(os.environ["MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT) if "MARKS" in os.environ else -1

print("\x1e1 GET /forged\x1fimported")
if "IMPORTS" in os.environ:
    with open(os.environ["IMPORTS"], "a") as f:
        f.write("%d\n" % os.getpid())


def mark(text):
    os.write(marks, text.encode() + b"\n")


def app(environ, start_response):
    path = environ["PATH_INFO"]
    query = environ["QUERY_STRING"]

    def answer(text):
        start_response("200 OK", TEXT)
        return [text.encode("latin-1", "backslashreplace")]

    if path == "/":
        return answer("Hello, World!")
    if path == "/pid":
        return answer(str(os.getpid()))
    if path == "/environ":
        return answer("".join("%s=%s\n" % (k, v if isinstance(v, str) else repr(v)) for k, v in sorted(environ.items())))
    if path == "/getenv":
        return answer(os.environ.get(query, "") + " " + os.getcwd())
    if path == "/sleep":
        time.sleep(float(query))
        return answer(str(os.getpid()))
    if path == "/begun":
        print("begun " + query)
        time.sleep(float(query))
    if path == "/unfinished":
        os.write(2, b"a line without an end")
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/thread":  # leaves a thread behind that writes a file after a while
        def work(seconds, path):
            time.sleep(float(seconds))
            open(path, "w").close()

        threading.Thread(target=work, args=query.split(","), daemon=False).start()
        return answer(str(os.getpid()))
    if path == "/executor":  # one thread of it is idle
        executors.append(ThreadPoolExecutor(1))
        executors[-1].submit(int).result()
        return answer(str(os.getpid()))
    if path == "/spin":  # keeps Python's lock all the time
        ctypes.PyDLL(None).usleep(int(float(query) * 1e6))
        return answer(str(os.getpid()))
    if path == "/stuck_in_a_view":
        while True:
            time.sleep(0.01)
    if path.startswith("/exit"):
        os._exit(3)
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/segfault":
        ctypes.string_at(1)
    if path == "/mark":  # leaves a trace of each call
        mark(query)
        return answer("Hello, World!")
    if path == "/markexit":
        mark(query)
        os._exit(3)
    if path == "/markspin":
        mark(query)
        ctypes.PyDLL(None).usleep(int(60e6))
    if path == "/once":  # dies in the first call of all
        try:
            os.close(os.open(query, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return answer("second")
        os._exit(3)
    if path == "/short":
        start_response("200 OK", [("Content-Length", "10")])
        return iter([b"01234"])
    if path == "/streamexit":
        start_response("200 OK", TEXT)

        def blocks():
            yield b"begun"
            time.sleep(0.05)
            os._exit(3)

        return blocks()
    if path == "/raise":
        raise ValueError("raised on purpose")
    if path == "/badwrite":  # with the traceback of what weir says to it
        try:
            start_response("200 OK", TEXT)(None)
        except TypeError:
            return [traceback.format_exc().encode()]
    if path == "/badheader":
        start_response("200 OK", [("X", "a\r\nb")])
        return [b""]
    if path == "/echo":
        digest, n = hashlib.sha256(), 0
        while True:
            block = environ["wsgi.input"].read(65536)
            if not block:
                break
            digest.update(block)
            n += len(block)
        return answer("%d %s %s %s" % (n, digest.hexdigest(), environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")))
    if path == "/stream":
        start_response("200 OK", TEXT)
        return Body(*map(float, query.split(",")))
    if path == "/file":
        start_response("200 OK", TEXT)
        name, _, offset = query.partition(",")
        f = open(name, "rb")
        f.seek(int(offset or 0))
        return environ["wsgi.file_wrapper"](f)
    if path == "/print":
        print("printed " + query)
        print("complained " + query, file=sys.stderr)
        environ["wsgi.errors"].write("reported " + query + "\n")
        return answer("ok")
    if path.startswith("/talk"):  # in pieces, while others do the same
        def talk(write, stream):
            for piece in ("%s says " % stream, query, " twice\n" + query, "\n"):
                write(piece)
                time.sleep(0.002)

        talk(environ["wsgi.errors"].write, "errors")
        talk(sys.stderr.write, "stderr")
        talk(sys.stdout.write, "stdout")
        print("\x1e1 GET /forged\x1f" + query, file=sys.stderr)
        print("unfinished " + query, end="", file=sys.stderr, flush=True)
        return answer("ok")
    if path == "/long":
        print("x" * 20000, file=sys.stderr)
        return answer("ok")
    if path == "/publish":
        return answer("%d %d" % environ["weir.hub"].publish("topic", query))
    if path == "/hold":
        how = json.loads(unquote(query))
        response = how.pop("response", None)
        body = environ["weir.hub"].hold(**how)
        if response is None:
            return body
        start_response(response["status"], [tuple(field) for field in response.get("headers", ())])
        return [response.get("content", "").encode()]
    start_response("404 Not Found", TEXT)
    return [b"no such page\n"]


def factory():
    return app


async def asynchronous(scope, receive, send):
    pass
