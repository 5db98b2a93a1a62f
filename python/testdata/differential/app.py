"""The application of TestDifferential. It does what gateways differ in, and answers with what it saw.

    /input/HOW      reads wsgi.input in one way, and tells what came
    /answer/HOW     answers in one way
    /tally          tells what the calls since the last /tally came to: how many they were, how many bodies were closed
    all others      the environ
"""

import hashlib
import io
import json
import os
import sys
import tempfile
import time

INHERITED = {name: value for name, value in os.environ.items() if name != "SERVER_SOFTWARE"}  # gunicorn puts that there
TEXT = b"0123456789abcdefghijklmnopqrstuvwxyz"
HEADERS = [("Content-Type", "text/plain"), ("X-App", "1")]

calls = opened = closed = 0
notes = []


def application(environ, start_response):
    global calls
    path = environ.get("PATH_INFO", "")
    if path == "/tally":
        return tally(start_response)
    calls += 1
    _, kind, how, *_ = (path + "//").split("/", 3)
    if kind == "input" and how in INPUT:
        return tell(start_response, read(environ["wsgi.input"], environ, INPUT[how]))
    if kind == "answer" and how in ANSWER:
        return ANSWER[how](environ, start_response)
    return tell(start_response, dump(environ))


def tell(start_response, what):
    content = json.dumps(what, sort_keys=True).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("X-App", "1"), ("Content-Length", str(len(content)))])
    return [content]


def tally(start_response):
    global calls, opened, closed
    for _ in range(200):  # some gateways close on a thread of their own
        if closed >= opened:
            break
        time.sleep(0.005)
    result = {"calls": calls, "unclosed": opened - closed, "notes": notes[:]}
    calls = opened = closed = 0
    del notes[:]
    return tell(start_response, result)


def note(what, f, *args):
    """Calls f, and notes what it raises."""
    try:
        return f(*args)
    except BaseException as e:
        notes.append("%s raised %s" % (what, type(e).__name__))
        raise


# --- the environ --------------------------------------------------------------------------------------------------------------


def dump(environ):
    keys, wsgi, own, odd, inherited = {}, {}, [], [], False
    for key, value in environ.items():
        if key.startswith("wsgi."):
            if key == "wsgi.input":
                value = [name for name in ("read", "readline", "readlines", "__iter__") if not hasattr(value, name)]
            elif key == "wsgi.errors":
                value = [name for name in ("flush", "write", "writelines") if not hasattr(value, name)]
            elif callable(value):
                value = "callable"
            wsgi[key] = repr(value)
        elif "." in key and not key.startswith("HTTP_"):
            own.append(key)
        elif key in INHERITED and INHERITED[key] == value:
            inherited = True
        elif type(key) is not str or type(value) is not str or max(key + value, default="") > "\xff":
            odd.append(key)
        else:
            keys[key] = value
    return {"keys": keys, "wsgi": wsgi, "own": sorted(own), "odd": sorted(odd), "inherited": inherited, "dict": type(environ) is dict}


# --- wsgi.input ---------------------------------------------------------------------------------------------------------------


def read(stream, environ, how):
    try:
        pieces = list(how(stream, environ))
    except Exception as e:
        return {"raised": type(e).__name__}
    whole = b"".join(pieces)
    return {
        "pieces": len(pieces),
        "octets": len(whole),
        "digest": hashlib.sha256(whole).hexdigest()[:16],
        "start": whole[:40].decode("latin-1"),
        "length": environ.get("CONTENT_LENGTH"),
    }


def in_pieces(f):
    """The pieces until there are no more."""
    return iter(f, b"")


INPUT = {
    "read": lambda stream, environ: [stream.read()],
    "read-all": lambda stream, environ: [stream.read(-1)],
    "read-nothing": lambda stream, environ: [stream.read(0)],
    "read-10": lambda stream, environ: [stream.read(10)],
    "read-length": lambda stream, environ: [stream.read(int(environ.get("CONTENT_LENGTH") or 0))],
    "read-past": lambda stream, environ: [stream.read(int(environ.get("CONTENT_LENGTH") or 0)), stream.read(1)],
    "read-pieces": lambda stream, environ: in_pieces(lambda: stream.read(1000)),
    "readline": lambda stream, environ: in_pieces(stream.readline),
    "readline-5": lambda stream, environ: in_pieces(lambda: stream.readline(5)),
    "readlines": lambda stream, environ: stream.readlines(),
    "readlines-hint": lambda stream, environ: stream.readlines(100),
    "iterate": lambda stream, environ: stream,
    "mixed": lambda stream, environ: [stream.read(3), stream.readline(), stream.read(1), *stream],
    "unread": lambda stream, environ: [],
}


# --- answers ------------------------------------------------------------------------------------------------------------------


class Blocks:
    """An iterable of blocks, some of which are exceptions to raise. It counts its close()."""

    def __init__(self, *blocks):
        global opened
        opened += 1
        self.blocks = iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        block = next(self.blocks)
        if callable(block):
            block = block()
        if isinstance(block, Exception):
            raise block
        return block

    def close(self):
        global closed
        closed += 1


class OneBlock(Blocks):
    def __len__(self):
        return 1


class BadClose(Blocks):
    def close(self):
        super().close()
        raise RuntimeError("from close")


class File(io.BytesIO):
    def __init__(self, content):
        global opened
        opened += 1
        super().__init__(content)

    def close(self):
        global closed
        if not self.closed:
            closed += 1
        super().close()


def answer(body, status="200 OK", headers=()):
    """An application that answers with body, or what body returns."""

    def call(environ, start_response):
        note("start_response", start_response, status, HEADERS + list(headers))
        return body() if callable(body) else body

    return call


def nothing_for_head(environ, start_response):
    start_response("200 OK", HEADERS[:])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [TEXT]


def length(n):
    return [("Content-Length", str(n))]


def write(*blocks, then=(), headers=()):
    def call(environ, start_response):
        w = start_response("200 OK", HEADERS + list(headers))
        for block in blocks:
            note("write", w, block)
        return Blocks(*then)

    return call


def start_late(environ, start_response):
    def start():
        start_response("202 Accepted", HEADERS[:])
        return b"late"

    return Blocks(start, b" start")


def start_after_empty(environ, start_response):
    def start():
        start_response("202 Accepted", HEADERS[:])
        return b"late"

    return Blocks(b"", start)


def start_twice(environ, start_response):
    start_response("200 OK", HEADERS[:])
    note("start_response", start_response, "500 Again", HEADERS[:])
    return [TEXT]


def start_other_list(environ, start_response):
    headers = HEADERS[:]
    start_response("200 OK", headers)
    headers.append(("X-Later", "1"))
    return [TEXT]


def replace(environ, start_response):
    start_response("200 OK", HEADERS + [("X-First", "1")])
    try:
        raise ValueError
    except ValueError:
        start_response("500 Replaced", HEADERS[:], sys.exc_info())
    return [b"replaced"]


def replace_after_empty(environ, start_response):
    def start():
        try:
            raise ValueError
        except ValueError:
            start_response("500 Replaced", HEADERS[:], sys.exc_info())
        return b"replaced"

    start_response("200 OK", HEADERS + [("X-First", "1")])
    return Blocks(b"", start)


def replace_late(environ, start_response):
    def start():
        try:
            raise ValueError
        except ValueError:
            note("start_response", start_response, "500 Replaced", HEADERS[:], sys.exc_info())
        return b"replaced"

    start_response("200 OK", HEADERS[:])
    return Blocks(b"first", start)


def raise_now(environ, start_response):
    raise RuntimeError("from the application")


def raise_started(environ, start_response):
    start_response("200 OK", HEADERS[:])
    raise RuntimeError("from the application")


def file(offset=0, headers=(), of=None):
    def call(environ, start_response):
        f = of() if of else tempfile.TemporaryFile()
        f.write(TEXT)
        f.flush()
        f.seek(offset)
        start_response("200 OK", HEADERS + list(headers))
        return environ["wsgi.file_wrapper"](f, 10)

    return call


def fault():
    return RuntimeError("from the application")


ANSWER = {
    "list": answer([TEXT]),
    "list-three": answer([b"one ", b"two ", b"three"]),
    "list-empty": answer([]),
    "list-empty-blocks": answer([b"", b""]),
    "tuple": answer((TEXT,)),
    "large": answer([TEXT * 2000]),
    "blocks": answer(lambda: Blocks(b"one ", b"", b"two ", b"three")),
    "blocks-empty": answer(lambda: Blocks(b"", b"")),
    "blocks-none": answer(lambda: Blocks()),
    "blocks-large": answer(lambda: Blocks(*[TEXT * 500] * 4)),
    "one-block": answer(lambda: OneBlock(TEXT)),
    "generator": answer(lambda: (block for block in (b"", b"one ", b"two"))),
    "write": write(b"one ", b"two ", then=[b"three"]),
    "write-only": write(TEXT),
    "write-empty": write(b"", b"one", then=[b""]),
    "write-length": write(b"12345", then=[b"67890", b"excess"], headers=length(10)),
    "write-str": write("text"),
    "nothing-for-head": nothing_for_head,
    "no-content": answer([], "204 No Content"),
    "no-content-with": answer([TEXT], "204 No Content"),
    "no-content-length": answer([], "204 No Content", length(0)),
    "not-modified": answer([], "304 Not Modified", [("ETag", '"a"')]),
    "not-modified-length": answer([], "304 Not Modified", [("ETag", '"a"'), *length(36)]),
    "not-modified-with": answer([TEXT], "304 Not Modified", [("ETag", '"a"')]),
    "reset-content": answer([], "205 Reset Content"),
    "reset-content-with": answer([TEXT], "205 Reset Content"),
    "not-found": answer([TEXT], "404 Not Found"),
    "status-own": answer([TEXT], "299 Tout va bien"),
    "status-no-reason": answer([TEXT], "200 "),
    "status-bare": answer([TEXT], "200"),
    "status-interim": answer([], "103 Early Hints"),
    "status-word": answer([TEXT], "OK"),
    "status-lines": answer([TEXT], "200 OK\r\nX-Split: 1"),
    "status-bytes": answer([TEXT], b"200 OK"),
    "start-late": start_late,
    "start-after-empty": start_after_empty,
    "start-never": lambda environ, start_response: [TEXT],
    "start-never-empty": lambda environ, start_response: [],
    "start-twice": start_twice,
    "start-other-list": start_other_list,
    "replace": replace,
    "replace-after-empty": replace_after_empty,
    "replace-late": replace_late,
    "raise": raise_now,
    "raise-started": raise_started,
    "raise-first": answer(lambda: Blocks(fault)),
    "raise-after-empty": answer(lambda: Blocks(b"", fault)),
    "raise-later": answer(lambda: Blocks(b"first", fault)),
    "raise-later-length": answer(lambda: Blocks(b"first", fault), headers=length(10)),
    "raise-close": answer(lambda: BadClose(TEXT), headers=length(36)),
    "length": answer([TEXT], headers=length(36)),
    "length-less": answer([TEXT], headers=length(5)),
    "length-less-blocks": answer(lambda: Blocks(b"123", b"456", b"789"), headers=length(5)),
    "length-more": answer([TEXT], headers=length(50)),
    "length-more-blocks": answer(lambda: Blocks(b"123", b"456"), headers=length(50)),
    "length-zero": answer([], headers=length(0)),
    "length-zero-with": answer([TEXT], headers=length(0)),
    "length-word": answer([TEXT], headers=[("Content-Length", "abc")]),
    "length-twice": answer([TEXT], headers=length(36) * 2),
    "length-of-nothing": answer([], headers=length(36)),
    "latin-1": answer([TEXT], headers=[("X-Name", "caf\xe9")]),
    "beyond-latin-1": answer([TEXT], headers=[("X-Name", "\u20ac")]),
    "cookies": answer([TEXT], headers=[("Set-Cookie", "a=1; Path=/"), ("X-Between", "1"), ("Set-Cookie", "b=2; Path=/")]),
    "repeated": answer([TEXT], headers=[("X-Many", "1"), ("X-Many", "2")]),
    "value-empty": answer([TEXT], headers=[("X-Empty", "")]),
    "value-spaces": answer([TEXT], headers=[("X-Spaces", "  a  b  ")]),
    "value-lines": answer([TEXT], headers=[("X-Lines", "a\r\nX-Split: 1")]),
    "value-nul": answer([TEXT], headers=[("X-Nul", "a\0b")]),
    "value-int": answer([TEXT], headers=[("X-Int", 1)]),
    "name-space": answer([TEXT], headers=[("X Name", "1")]),
    "name-colon": answer([TEXT], headers=[("X-Name:", "1")]),
    "name-underscore": answer([TEXT], headers=[("X_Name", "1")]),
    "headers-tuple": lambda environ, start_response: note("start_response", start_response, "200 OK", tuple(HEADERS)) and [TEXT],
    "headers-lists": answer([TEXT], headers=[["X-List", "1"]]),
    "hop-by-hop": answer([TEXT], headers=[("Connection", "close")]),
    "chunked-itself": answer([b"1\r\na\r\n0\r\n\r\n"], headers=[("Transfer-Encoding", "chunked")]),
    "date-and-server": answer([TEXT], headers=[("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "mine")]),
    "file": file(),
    "file-offset": file(6),
    "file-length": file(6, length(10)),
    "file-length-more": file(6, length(50)),
    "file-memory": file(6, of=lambda: File(b"")),
    "file-memory-length": file(6, length(10), of=lambda: File(b"")),
    "str": answer(["text"]),
    "str-later": answer(lambda: Blocks(b"first", "text")),
    "bytes": answer(TEXT),
    "none": answer(None),
}
