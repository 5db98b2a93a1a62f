"""Tests of worker.py: each starts it as a process, and plays the supervisor over a real socket pair.

    python3 worker_test.py              # tests the worker under the Python that runs the tests
    WORKER_PYTHON=python3.8 python3 worker_test.py
"""

import array
import ast
import fcntl
import marshal
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER = os.path.join(HERE, "worker.py")
DATA_DIRECTORY = os.path.join(HERE, "testdata", "worker")
PYTHON = os.environ.get("WORKER_PYTHON") or sys.executable

CONFIG, REQUEST, BODY, CREDIT, GONE, STOP, RESULT, KEYS = range(1, 9)
READY, FAILED, HEAD, DATA, ABORT, WANT, FILE, HINTS, HOLD, PUBLISH, BEGUN, STATE, RETURNED = range(16, 29)
END, FAIL = 1, 2
FRAME = struct.Struct("<IBBHI")

HAS_GEVENT = subprocess.run([PYTHON, "-c", "import gevent"], stderr=subprocess.DEVNULL).returncode == 0
CLASSES = ["sync", "threads"] + ["gevent"] * HAS_GEVENT


def frame(kind, number=0, payload=b"", flags=0, keys=0):
    return FRAME.pack(len(payload), kind, flags, keys, number) + payload


def frames(packet):
    at, found = 0, []
    while at < len(packet):
        length, kind, flags, _, number = FRAME.unpack_from(packet, at)
        at += FRAME.size
        assert at + length <= len(packet), "truncated"
        found.append((kind, flags, number, packet[at : at + length]))
        at += length
    return found


def untagged(text):
    return re.sub("(?m)^\x1e[^\x1f]*\x1f", "", text)


def environ(path="/hello", query="", method="GET", **more):
    return dict(
        REQUEST_METHOD=method, SCRIPT_NAME="", PATH_INFO=path, QUERY_STRING=query, SERVER_NAME="127.0.0.1", SERVER_PORT="8000",
        SERVER_PROTOCOL="HTTP/1.1", REMOTE_ADDR="127.0.0.1", HTTP_HOST="127.0.0.1:8000", **more
    )


def request(number, path="/hello", query="", content=b"", flags=END, method="GET", **more):
    if content or not flags:
        more.setdefault("CONTENT_LENGTH", str(len(content)))
    head = marshal.dumps(environ(path, query, method, **more), 2)
    return frame(REQUEST, number, struct.pack("<I", len(head)) + head + content, flags)


def hold_of(payload):
    """What HOLD says: the arguments of hold(), and the response."""
    (n,) = struct.unpack_from("<I", payload)
    hold, rest = marshal.loads(payload[4 : 4 + n]), payload[4 + n :]
    (n,) = struct.unpack_from("<I", rest)
    hold["status"], hold["headers"] = marshal.loads(rest[4 : 4 + n]) if n else (None, None)
    hold["content"] = rest[4 + n :]
    return hold


class Response:
    def __init__(self):
        self.status = self.headers = self.abort = self.hold = None
        self.content = b""
        self.parts = []  # (type, flags, length of content)
        self.ended = False
        self.hints = []
        self.file = None
        self.begun = False

    @property
    def text(self):
        return self.content.decode()


class Supervisor:
    """The other side, as small as it can be."""

    def __init__(self, app="apps:application", kind="sync", ready=True, auto_credit=True, fd5=None, **config):
        self.auto_credit = auto_credit
        self.unsent = []
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(10)
        self.errors = tempfile.TemporaryFile()
        high = fcntl.fcntl(theirs, fcntl.F_DUPFD, 50)
        theirs.close()
        command, passed = 'exec "$0" "$1" 3<&%d %d<&-' % (high, high), [high]
        if fd5 is not None:
            passed.append(fcntl.fcntl(fd5, fcntl.F_DUPFD, 50))
            command += " 5<&%d %d<&-" % (passed[1], passed[1])
        self.process = subprocess.Popen(
            ["bash", "-c", command, PYTHON, WORKER], pass_fds=passed, stdout=self.errors, stderr=self.errors, stdin=subprocess.DEVNULL
        )
        for fd in passed:
            os.close(fd)
        self.responses = {}
        self.log = []  # (type, flags, number, payload), each frame that came
        self.uploads = {}  # number -> [content left, wanted]
        settings = dict(
            app=app, chdir=DATA_DIRECTORY, pythonpath=[], threads=4, connections=50, credit=256 << 10, flush=0.0005, extensions=True,
            environ={"SERVER_SOFTWARE": "weir", "GATEWAY_INTERFACE": "CGI/1.1", "DEPLOYER": "\xfc"},
        )
        settings.update(config)
        settings["class"] = kind
        self.send(frame(CONFIG, 0, marshal.dumps(settings, 4)))
        self.ours.settimeout(10)
        first = frames(self.ours.recv(200000))[0]
        self.first = first
        if ready:
            assert first[0] == READY, (first, self.stderr())
            self.ready = marshal.loads(first[3])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.close()
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def send(self, *packets):
        """Sends without waiting, as the real one does: both sides waiting for each other would be the end."""
        self.unsent += packets
        self.pump()

    def pump(self):
        self.ours.setblocking(False)
        while self.unsent:
            try:
                self.ours.send(self.unsent[0], socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):  # it has sent all, and ended
                pass
            self.unsent.pop(0)

    def stderr(self):
        self.errors.seek(0)
        return untagged(self.errors.read().decode("utf-8"))

    def notes(self):
        return [line[5:] for line in self.stderr().splitlines() if line.startswith("NOTE ")]

    def wait_note(self, text, seconds=5):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.notes():
                return
            time.sleep(0.01)
        raise AssertionError("no note %r in %r" % (text, self.stderr()))

    def upload(self, number, content, **more):
        """Sends a request whose content comes when it is wanted."""
        self.uploads[number] = [content, 0]
        self.send(request(number, flags=0, **dict({"CONTENT_LENGTH": str(len(content)), "method": "POST"}, **more)))
        if not content:
            self.send(frame(BODY, number, b"", END))

    def step(self, timeout=10):
        """Takes one packet; its frames."""
        self.pump()
        while not select.select([self.ours], [self.ours] if self.unsent else [], [], timeout)[0]:
            if not self.unsent:
                raise socket.timeout
            self.pump()
        try:
            packet, controls, flags, _ = self.ours.recvmsg(200000, 256)
        except ConnectionResetError:  # it has ended without having read all; what it had sent comes nevertheless
            packet, controls, flags, _ = self.ours.recvmsg(200000, 256)
        fds = array.array("i")
        for _, _, data in controls:
            fds.frombytes(data[: len(data) // 4 * 4])
        if not packet:
            raise EOFError
        assert len(packet) <= 128 << 10
        found = frames(packet)
        for kind, flags, number, payload in found:
            self.log.append((kind, flags, number, payload))
            if kind == STATE:
                continue
            if kind == PUBLISH:
                size = struct.unpack_from("<I", payload)[0]
                self.published = payload[4 : 4 + size].decode(), payload[4 + size :]
                self.send(frame(RESULT, number, marshal.dumps(None if self.published[0] == "none" else (42, 3))))
                continue
            r = self.responses.setdefault(number, Response())
            if kind == BEGUN:
                r.begun = True
                continue
            assert not r.ended, ("a frame after the last one", kind, flags, number, payload[:100])
            content = None
            if kind == HEAD:
                size = struct.unpack_from("<I", payload)[0]
                assert r.status is None
                r.status, r.headers = marshal.loads(payload[4 : 4 + size])
                content = payload[4 + size :]
            elif kind == DATA:
                content = payload
            elif kind == ABORT:
                assert payload.startswith(b"\x1e%d " % number), payload
                r.abort, r.ended = untagged(payload.decode()), True
            elif kind == WANT:
                upload = self.uploads[number]
                upload[1] += struct.unpack("<I", payload)[0]
                while upload[1] and upload[0]:
                    piece = upload[0][: min(65536, upload[1])]
                    upload[0] = upload[0][len(piece) :]
                    upload[1] -= len(piece)
                    self.send(frame(BODY, number, piece, 0 if upload[0] else END))
            elif kind == FILE:
                assert len(found) == 1 and len(fds) == 1
                offset, count = struct.unpack("<QQ", payload)
                r.file = offset, count
                r.content += os.pread(fds[0], count, offset)
                os.close(fds[0])
                r.ended = True
            elif kind == HINTS:
                r.hints += marshal.loads(payload)
            elif kind == HOLD:
                r.hold, r.ended = hold_of(payload), True
            elif kind == RETURNED:
                r.ended = True
            else:
                raise AssertionError("unknown frame %d" % kind)
            if content is not None:
                r.content += content
                r.parts.append((kind, flags, len(content)))
                r.ended = bool(flags & END)
                if content and not flags and self.auto_credit:
                    self.send(frame(CREDIT, number, struct.pack("<I", len(content))))
        return found

    def finish(self, *numbers):
        while not all(n in self.responses and self.responses[n].ended for n in numbers):
            self.step()
        return [self.responses.pop(n) for n in numbers]

    def get(self, path="/hello", query="", **more):
        self.send(request(1, path, query, **more))
        return self.finish(1)[0]

    def stop(self):
        self.send(frame(STOP))
        self.ours.settimeout(10)
        while True:
            packet = self.ours.recv(200000)
            if not packet:
                break
        return self.process.wait(10)


class TestEnviron(unittest.TestCase):
    def test_constants(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                for _ in range(2):
                    got = ast.literal_eval(s.get("/environ", "a=%20b", HTTP_X="\xe4\u20ac"[0]).text)
                    want = dict(
                        environ("/environ", "a=%20b", HTTP_X="\xe4"),
                        **{
                            "SERVER_SOFTWARE": "weir", "GATEWAY_INTERFACE": "CGI/1.1", "DEPLOYER": "\xfc", "wsgi.version": (1, 0),
                            "wsgi.url_scheme": "http", "wsgi.multithread": kind != "sync", "wsgi.multiprocess": True, "wsgi.run_once": False,
                            "wsgi.input_terminated": True, "leak": None, "main": kind != "gevent",
                        }
                    )
                    got.pop("main"), want.pop("main")
                    self.assertEqual(got, want)
                self.assertEqual(s.ready["multithread"], kind != "sync")
                self.assertEqual(s.ready["pid"], s.process.pid)

    def test_request_wins(self):
        with Supervisor(environ={"HTTPS": "off", "SERVER_PORT": "1"}) as s:
            got = ast.literal_eval(s.get("/environ", **{"wsgi.url_scheme": "https", "HTTPS": "on"}).text)
            self.assertEqual((got["wsgi.url_scheme"], got["HTTPS"], got["SERVER_PORT"]), ("https", "on", "8000"))

    def test_keys(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                names = list(environ(HTTP_ODD="")) + ["HTTP_'\\\"]"]
                s.send(frame(KEYS, 7, marshal.dumps(tuple(names), 4)))
                for i in range(3):
                    values = tuple(environ("/environ", HTTP_ODD=str(i)).values()) + ("\xe4",)
                    octets = marshal.dumps(values, 2)
                    s.send(frame(REQUEST, 1, struct.pack("<I", len(octets)) + octets, END, 7))
                    got = ast.literal_eval(s.finish(1)[0].text)
                    self.assertEqual((got["HTTP_ODD"], got["HTTP_'\\\"]"], got["leak"]), (str(i), "\xe4", None))
                    self.assertEqual(got["wsgi.version"], (1, 0))

    def test_keys_that_are_not_there(self):
        values = environ()
        octets = marshal.dumps(tuple(values.values()), 2)
        shaped = struct.pack("<I", len(octets)) + octets
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1), frame(REQUEST, 2, shaped, END, 7))  # as when the supervisor has just taken KEYS back
                self.assertEqual([r.status for r in s.finish(1, 2)], ["200 OK", None])
                self.assertIn((RETURNED, 2), [(k, n) for k, _, n, _ in s.log])
                s.send(frame(KEYS, 7, marshal.dumps(tuple(values), 4)), frame(REQUEST, 3, shaped, END, 7))
                self.assertEqual(s.finish(3)[0].text, "Hello, World!")


class TestResponse(unittest.TestCase):
    # path, query: status, content, the frames with content
    CASES = [
        ("/hello", "", "200 OK", b"Hello, World!", [(HEAD, END, 13)]),
        ("/empty", "", "200 OK", b"", [(HEAD, END, 0)]),
        ("/nothing", "", "204 No Content", b"", [(HEAD, END, 0)]),
        ("/list", "", "200 OK", b"abc", [(HEAD, END, 3)]),
        ("/stream", "", "200 OK", b"one two three", [(HEAD, 0, 4), (DATA, 0, 4), (DATA, 0, 5), (DATA, END, 0)]),
        ("/late", "", "200 OK", b"late", [(HEAD, 0, 4), (DATA, END, 0)]),
        ("/write", "", "200 OK", b"written twice returned", [(HEAD, 0, 8), (DATA, 0, 6), (DATA, END, 8)]),
        ("/write/length", "", "200 OK", b"0123", [(HEAD, END, 4)]),
        ("/replace", "", "500 Oops", b"replaced", [(HEAD, END, 8)]),
        ("/replace/bad", "", "500 Oops", b"replaced", [(HEAD, END, 8)]),
        ("/exact", "", "200 OK", b"0123", [(HEAD, END, 4)]),
        ("/too/much", "", "200 OK", b"0123", [(HEAD, 0, 3), (DATA, END, 1)]),
        ("/too/little", "", "200 OK", b"0123", [(HEAD, 0, 4), (DATA, END, 0)]),
        ("/one/mismatch", "", "200 OK", b"01", [(HEAD, END, 2)]),
        ("/nothing/much", "", "304 Not Modified", b"", [(HEAD, 0, 0), (DATA, END, 0)]),
        ("/big", "160", "200 OK", b"0123456789abcdef" * 10, [(HEAD, END, 160)]),
        ("/big", "60000", "200 OK", b"0123456789abcdef" * 3750, [(HEAD, END, 60000)]),
        ("/big", "1600000", "200 OK", b"0123456789abcdef" * 100000, None),
    ]

    def test_cases(self):
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for path, query, status, content, parts in self.CASES * 2:
                    with self.subTest(kind + path + query):
                        r = s.get(path, query)
                        self.assertIsNone(r.abort)
                        self.assertEqual(r.status, status)
                        self.assertEqual(r.content, content)
                        if parts is not None:
                            self.assertEqual(r.parts, parts)
                self.assertEqual(s.stop(), 0)
                self.assertEqual(s.notes().count("close"), 2 * 4)  # stream, exact, too much, too little

    def test_heads(self):
        sys.path.insert(0, DATA_DIRECTORY)
        import apps

        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for i, name in enumerate(apps.BAD_HEADS):
                    with self.subTest(kind + name):
                        r = s.get("/head", name)
                        self.assertIsNotNone(r.abort)
                        self.assertEqual(len(s.notes()), i + 1)
                r = s.get("/good/head")
                self.assertEqual(r.status, "299 Gr\xfc\xdfe\t!")
                self.assertEqual(r.headers, [("X-Latin", "\xe4\xff\tx"), ("X-Empty", ""), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
                r = s.get("/big", "1600000")
                self.assertIn(("Content-Length", "1600000"), r.headers)

    def test_errors(self):
        cases = [
            ("/raise", "ValueError: before \\udc80 the head", False),
            ("/raise/started", "ValueError: before the head left", False),
            ("/raise/stream", "ValueError: in the middle", True),
            ("/never", "has not called start_response", False),
            ("/none", "TypeError: 'NoneType' object is not iterable", False),
            ("/awaited", "it is asynchronous (ASGI)", False),
            ("/status/none", "TypeError: status must be a str", False),
            ("/str", "must yield bytes, not str", False),
            ("/str/stream", "must yield bytes, not str", False),
            ("/bytes", "[content] instead of content", False),
            ("/write/str", "write() takes bytes, not str", False),
            ("/exit", "SystemExit: 3", False),
            ("/interrupt", "KeyboardInterrupt", False),
            ("/memory", "MemoryError", False),
            ("/recursion", "RecursionError", False),
            ("/unprintable", "Unprintable", False),
            ("/twice", "a second time without exc_info", False),
            ("/twice/swallowed", "a second time without exc_info", False),
            ("/replace/late", "ValueError: the original", True),
        ]
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for path, text, begun in cases:
                    with self.subTest(kind + path):
                        r = s.get(path)
                        self.assertIn(text, r.abort)
                        self.assertEqual(r.status is not None, begun)
                        self.assertNotIn("worker.py", r.abort.split("\n")[1])
                        self.assertEqual(s.get().content, b"Hello, World!")
                r = s.get("/raise/close")  # too late for the client
                self.assertEqual((r.content, r.abort), (b"all", None))
                self.assertEqual(s.stop(), 0)
                self.assertEqual(s.notes().count("close"), 3)  # raise/stream, str/stream, raise/close
                self.assertIn("close has failed", s.stderr())

    def test_head_method(self):
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for path in ("/stream", "/endless", "/write", "/file", "/too/much"):
                    with self.subTest(kind + path):
                        r = s.get(path, method="HEAD")
                        self.assertEqual((r.status, r.content, r.abort), ("200 OK", b"", None))
                        self.assertEqual(r.parts, [(HEAD, 0, 0), (DATA, END, 0)])
                r = s.get("/hello", method="HEAD")
                self.assertEqual(r.parts, [(HEAD, END, 13)])
                self.assertEqual(s.notes().count("close"), 3)

    def test_validate(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor("apps:validated", kind) as s:
                for i in range(3):
                    self.assertEqual(s.get(content=b"content", method="POST").text, "validated content")
                    s.upload(1, b"streamed", path="/x")
                    self.assertEqual(s.finish(1)[0].text, "validated streamed")
                self.assertEqual(s.stop(), 0)
                self.assertEqual(s.stderr().replace("NOTE close\n", ""), "")
                self.assertEqual(s.notes().count("close"), 6)

    def test_block_is_not_delayed(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1, "/slow/stream"))
                began = time.monotonic()
                while not s.responses.get(1, Response()).content:
                    s.step()
                self.assertLess(time.monotonic() - began, 0.2)
                self.assertEqual(s.responses[1].content, b"first")
                self.assertEqual(s.finish(1)[0].content, b"firstsecond")

    def test_block_after_a_wait_for_credit(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind, auto_credit=False) as s:
                s.send(request(1, "/late/write"))
                while len(s.responses.get(1, Response()).content) < 256 << 10:
                    s.step()
                time.sleep(0.2)  # the ticker sleeps
                s.send(frame(CREDIT, 1, struct.pack("<I", 1 << 20)))
                while not s.responses[1].content.endswith(b"y"):
                    s.step()
                began = time.monotonic()
                s.finish(1)
                self.assertGreater(time.monotonic() - began, 0.3)

    def test_batch(self):
        with Supervisor() as s:
            os.kill(s.process.pid, signal.SIGSTOP)
            s.send(*[request(n) for n in range(1, 31)])
            os.kill(s.process.pid, signal.SIGCONT)
            s.finish(*range(1, 31))
            self.assertLess(len(s.log), 40)

    def test_several_requests_in_a_packet(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind, returns=True) as s:
                s.get()
                s.send(request(1) + request(2, "/echo", content=b"abc", method="POST") + request(3))
                one, two, three = s.finish(1, 2, 3)
                self.assertEqual((one.text, two.text, three.text), ("Hello, World!", "b'abc'", "Hello, World!"))
        for returns in (True, False):  # what would have to wait for a call that takes long is given back
            with self.subTest(returns=returns), Supervisor(returns=returns) as s:
                s.get()
                s.log.clear()
                s.send(request(1, "/sleep", "0.3") + request(2) + request(3))
                one, two, three = s.finish(1, 2, 3)
                self.assertEqual([k for k, _, n, _ in s.log if n in (2, 3)], [RETURNED] * 2 if returns else [HEAD] * 2)
                if returns:
                    kinds = [(k, n) for k, _, n, _ in s.log]
                    self.assertLess(kinds.index((RETURNED, 2)), kinds.index((HEAD, 1)))
                self.assertEqual(s.get().text, "Hello, World!")

    def test_finished_replies_leave_while_another_is_slow(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get()
                s.send(request(1), request(2, "/sleep", "0.3"), request(3))
                began = time.monotonic()
                s.finish(1)
                self.assertLess(time.monotonic() - began, 0.15)
                s.finish(2, 3)
                if kind == "sync":
                    order = [(k, n) for k, _, n, _ in s.log if k in (HEAD, BEGUN)]
                    self.assertIn((BEGUN, 2), order)
                    self.assertLess(order.index((BEGUN, 2)), order.index((HEAD, 2)))


class TestContent(unittest.TestCase):
    def test_small(self):
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for content in (b"", b"a=1", b"x" * 60000):
                    with self.subTest(kind, size=len(content)):
                        want = repr(content) if len(content) < 1000 else "60000 %d" % sum(content)
                        self.assertEqual(s.get("/echo", content=content, method="POST").text, want)
                        s.upload(1, content, path="/echo")
                        self.assertEqual(s.finish(1)[0].text, want)
                self.assertEqual(s.get("/text/input", content="\xe4\n".encode(), method="POST").text, repr("\xe4\n"))
                self.assertEqual(s.get("/text/input").text, "''")
                s.upload(1, "\xe4\n".encode(), path="/text/input")
                self.assertEqual(s.finish(1)[0].text, repr("\xe4\n"))

    def test_lines(self):
        content = b"first\nsecond\n\nthird\nfourth\nlast"
        want = repr([b"first\n", b"se", b"cond\n", [b"\n"], b"t", b"", [b"hird\n", b"fourth\n", b"last"], b"", b"", []])
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                self.assertEqual(s.get("/lines", content=content, method="POST").text, want)

    def test_lines_streamed(self):
        content = b"first\nsecond\n\nthird\nfourth\nlast"
        want = repr([b"first\n", b"se", b"cond\n", [b"\n"], b"t", b"", [b"hird\n", b"fourth\n", b"last"], b"", b"", []])
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for size in (1, 2, 3, 5, 7, 100):
                    with self.subTest(kind, size=size):
                        s.uploads[1] = [b"", 0]
                        s.send(request(1, "/lines", flags=0, method="POST", CONTENT_LENGTH=str(len(content))))
                        while not any(k == WANT for k, _, _, _ in s.log):
                            s.step()
                        s.log.clear()
                        for at in range(0, len(content), size):
                            s.send(frame(BODY, 1, content[at : at + size]))
                        s.send(frame(BODY, 1, b"", END))
                        self.assertEqual(s.finish(1)[0].text, want)

    def test_large(self):
        content = os.urandom(1 << 20) * 20
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                size = b"%d" % len(content)
                cases = [("/count", "65536", size), ("/count", "1000", size), ("/no/read", "", b"unread"), ("/echo/stream", "", content)]
                for path, query, want in cases:
                    with self.subTest(kind + path):
                        s.upload(1, content, path=path, query=query)
                        r = s.finish(1)[0]
                        self.assertIsNone(r.abort)
                        self.assertTrue(r.content == want)
                self.assertEqual(s.stop(), 0)

    def test_several(self):
        content = os.urandom(300000)
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                for n in range(1, 11):
                    s.upload(n, content, path="/echo/stream")
                    s.send(request(100 + n))
                for r in s.finish(*range(1, 11)):
                    self.assertTrue(r.content == content)
                for r in s.finish(*range(101, 111)):
                    self.assertEqual(r.text, "Hello, World!")
                self.assertEqual(s.stop(), 0)

    def test_broken_off(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                failed = frame(BODY, 1, b"too slow", FAIL), "BrokenPipeError: [Errno 32] too slow"
                left = frame(GONE, 1), "Disconnected: the client has left"
                for last, text in [failed, left]:
                    s.uploads[1] = [b"", 0]
                    s.send(request(1, "/input/error", flags=0, method="POST", CONTENT_LENGTH="10"))
                    while not any(k == WANT for k, _, _, _ in s.log):
                        s.step()
                    s.log.clear()
                    s.send(last)
                    r = s.finish(1)[0]
                    s.wait_note("read has raised " + text)
                    self.assertEqual(r.abort is None, last[4] == GONE)
                self.assertEqual(s.get().text, "Hello, World!")

    def test_requests_meanwhile(self):
        with Supervisor() as s:
            for returns in (False, True):
                s.uploads[1] = [b"", 0]
                s.send(request(1, "/echo", flags=0, method="POST", CONTENT_LENGTH="3"))
                while not any(k == WANT for k, _, _, _ in s.log):
                    s.step()
                s.log.clear()
                s.send(request(2), request(3), frame(GONE, 2), frame(BODY, 1, b"abc", END))
                one, two, three = s.finish(1, 2, 3)
                self.assertEqual((one.text, two.text, three.text), ("b'abc'", "", "Hello, World!"))
        with Supervisor(returns=True) as s:
            s.uploads[1] = [b"", 0]
            s.send(request(1, "/echo", flags=0, method="POST", CONTENT_LENGTH="3"))
            while not any(k == WANT for k, _, _, _ in s.log):
                s.step()
            s.send(request(2), frame(BODY, 1, b"abc", END))
            one, two = s.finish(1, 2)
            self.assertEqual((one.text, two.status), ("b'abc'", None))
            self.assertIn(RETURNED, [k for k, _, n, _ in s.log if n == 2])


class TestCredit(unittest.TestCase):
    def test_back_pressure(self):
        for kind in CLASSES:
            for path in ("/endless", "/endless/write"):
                with self.subTest(kind + path), Supervisor(kind=kind, auto_credit=False) as s:
                    s.send(request(1, path))
                    try:
                        while True:
                            s.step(0.3)
                    except socket.timeout:
                        pass
                    r = s.responses[1]
                    self.assertEqual(len(r.content), 256 << 10)
                    s.send(frame(CREDIT, 1, struct.pack("<I", 100)))
                    try:
                        while True:
                            s.step(0.3)
                    except socket.timeout:
                        pass
                    self.assertEqual(len(r.content), (256 << 10) + 100)
                    if kind != "sync":
                        self.assertEqual(self.other(s), "Hello, World!")
                    s.send(frame(GONE, 1))
                    s.finish(1)
                    self.assertTrue(r.ended and r.abort is None)
                    s.wait_note("close" if path == "/endless" else "write has raised Disconnected")
                    self.assertEqual(s.get().text, "Hello, World!")
                    self.assertEqual(s.stop(), 0)
                    self.assertEqual(s.notes().count("close"), 1 if path == "/endless" else 0)

    def other(self, s):
        s.send(request(2))
        return s.finish(2)[0].text

    def test_memory(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get()
                before = self.rss(s)
                s.send(request(1, "/endless"))
                total = 0
                while total < 50 << 20:
                    s.step()
                    s.log.clear()
                    r = s.responses[1]
                    total += len(r.content)
                    r.content, r.parts = b"", []
                self.assertLess(self.rss(s) - before, 8 << 20)

    def rss(self, s):
        with open("/proc/%d/statm" % s.process.pid) as f:
            return int(f.read().split()[1]) * 4096

    def test_gone(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1, "/endless", "0.01"))
                while len(s.responses.get(1, Response()).content) < 30000:
                    s.step()
                s.send(frame(GONE, 1))
                s.finish(1)
                s.wait_note("close")
                s.send(request(1, "/disconnected"))
                time.sleep(0.05)
                s.send(frame(GONE, 1))
                s.finish(1)
                s.wait_note("disconnected True")
                s.send(request(1), frame(GONE, 1))
                s.finish(1)
                s.send(request(1, "/stream"))  # the number is used again: this one has not left
                self.assertEqual(s.finish(1)[0].text, "one two three")
                self.assertEqual(s.stop(), 0)


class TestFile(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(DATA_DIRECTORY, "file.txt"), "rb") as f:
            self.content = f.read()

    def test_files(self):
        n = len(self.content)
        cases = [
            ("/file", "", self.content, (0, n), str(n)),
            ("/file/offset", "", self.content[21:28], (21, 7), "7"),
            ("/file/temporary", "", b"porary", (3, 6), "6"),
            ("/file/temporary", "unnamed", b"porary", (3, 6), "6"),
            ("/file/bytes", "", b"23456789", None, None),
            ("/file/gzip", "", b"unzipped", None, None),
            ("/file/middleware", "", self.content.upper(), None, None),
            ("/file/write", "", b"before " + self.content, (0, n), None),
        ]
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for path, query, content, range_, length in cases:
                    with self.subTest(kind + path):
                        r = s.get(path, query)
                        self.assertEqual((r.abort, r.content, r.file), (None, content, range_))
                        self.assertEqual(dict(r.headers).get("Content-Length"), length)
                self.assertEqual(s.notes().count("close"), 1)
                s.get()
                fds = os.listdir("/proc/%d/fd" % s.process.pid)
                for _ in range(20):
                    s.get("/file")
                s.get()
                time.sleep(0.1)  # in another thread the file may be closed later
                self.assertEqual(len(os.listdir("/proc/%d/fd" % s.process.pid)), len(fds))


class TestExtensions(unittest.TestCase):
    def test_all(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                r = s.get("/hints")
                self.assertEqual((r.hints, r.text), ([("Link", "</a.css>; rel=preload")], "hinted"))
                self.assertEqual(s.get("/publish").text, "(42, 3)")
                self.assertEqual(s.published, ("chat", "m\xfc".encode()))
                r = s.get("/hold")
                nothing = dict(timeout=None, since=None, stream=False, format=None, status=None, headers=None, content=b"")
                self.assertEqual(r.hold, dict(nothing, topics=["chat"]))
                r = s.get("/hold/response")
                self.assertEqual(
                    r.hold,
                    dict(topics=["a", "b"], timeout=3.0, since=str(2**40), stream=False, format="json", status="202 Nothing",
                         headers=[("Content-Type", "text/plain")], content=b"nothing new"),
                )
                r = s.get("/hold/stream")
                self.assertEqual((r.hold["stream"], r.hold["headers"], r.hold["content"]),
                                 (True, [("Content-Type", "text/event-stream"), ("Content-Length", "3")], b":\n\n"))
                r = s.get("/hold/generator")
                self.assertEqual((r.hold["status"], r.hold["content"]), ("200 Waiting", b"nothing new"))
                r = s.get("/hold/error")
                self.assertEqual((r.hold, r.status, r.text), (None, "403 No", "not for you"))
                self.assertIn("has not called start_response", s.get("/hold/headless").abort)
                self.assertIn("was encoded by middleware", s.get("/hold/encoded").abort)
                self.assertIn("after the response had begun", s.get("/hold/late").abort)
                self.assertEqual(s.get().text, "Hello, World!")

    def test_hold_arguments(self):
        """What is wrong with a call of hold() is told where it is made."""
        with Supervisor() as s:
            got = s.get("/hold/wrong").text.splitlines()
            self.assertEqual(len(got), len(self.WRONG), got)
            for said, (kind, text) in zip(got, (want.split(": ", 1) for want in self.WRONG)):
                with self.subTest(said):
                    self.assertTrue(said.startswith(kind + ": "))
                    self.assertIn(text, said)

    WRONG = """ValueError: takes the name of a topic, or several
ValueError: without control characters, and not empty: ''
TypeError: must be a str, not bytes
ValueError: without control characters, and not empty: 'a\\nb'
ValueError: without control characters, and not empty: '\\udc80'
TypeError: 'int' object is not iterable
ValueError: timeout must be a number of seconds, 0 or more: -1.0
ValueError: could not convert string to float: 'soon'
ValueError: timeout must be a number of seconds, 0 or more: nan
ValueError: a stream has no timeout
ValueError: since must be the id of a message, or 0: 'x'
ValueError: since must be the id of a message, or 0: -1
TypeError: since must be the id of a message, an int or a str, not float
ValueError: since must be the id of a message, or 0: 18446744073709551616
ValueError: format must be 'json' or 'data' without stream: 'events'
ValueError: format must be 'events' or 'data' with stream: 'json'
TypeError: unexpected keyword argument 'mode'""".splitlines()

    def test_background(self):
        with Supervisor() as s:
            for i in range(3):
                s.get("/publish/background")
                while not any(k == PUBLISH for k, _, _, _ in s.log):
                    s.step()
                s.log.clear()
                s.wait_note("published (42, 3)")
                self.assertEqual(s.get().text, "Hello, World!")
            self.assertEqual(s.stop(), 0)

    def test_off(self):
        with Supervisor(extensions=False) as s:
            self.assertIn("KeyError: 'weir.hub'", s.get("/publish").abort)


class TestThreads(unittest.TestCase):
    def test_concurrent(self):
        for kind in CLASSES[1:]:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                for _ in range(3):
                    began = time.monotonic()
                    for n in range(1, 5):
                        s.send(request(n, "/sleep", "0.3"))
                    s.finish(1, 2, 3, 4)
                    self.assertLess(time.monotonic() - began, 0.6)
                s.send(*[request(n, "/sleep", "0.2") for n in (1, 2, 3)])
                began = time.monotonic()
                for _ in range(50):
                    s.send(request(9))
                    s.finish(9)
                self.assertLess(time.monotonic() - began, 0.19)
                s.finish(1, 2, 3)
                self.assertEqual(s.stop(), 0)

    def test_more_than_threads(self):
        for kind, config in [("threads", dict(threads=3)), ("gevent", dict(connections=3))]:
            if kind in CLASSES:
                with self.subTest(kind), Supervisor(kind=kind, **config) as s:
                    began = time.monotonic()
                    s.send(*[request(n, "/sleep", "0.2") for n in range(1, 8)])
                    s.finish(*range(1, 8))
                    took = time.monotonic() - began
                    self.assertTrue(0.59 < took < 0.85, took)
                    self.assertEqual(s.stop(), 0)

    def test_mixture(self):
        """All that can wait, at once."""
        content = os.urandom(200000)
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                number, want = 0, {}
                for i in range(25):
                    for path in ("/hello", "/sleep", "/echo/stream", "/publish", "/big", "/stream", "/file"):
                        number += 1
                        if path == "/echo/stream":
                            s.upload(number, content, path=path)
                        else:
                            s.send(request(number, path, {"/sleep": "0.003", "/big": "160000"}.get(path, "")))
                        want[number] = path
                        if number % 16 == 0:
                            s.finish(number)
                            del want[number]
                for n, r in zip(want, s.finish(*want)):
                    self.assertIsNone(r.abort)
                    if want[n] == "/echo/stream":
                        self.assertTrue(r.content == content)
                    elif want[n] == "/publish":
                        self.assertEqual(r.text, "(42, 3)")
                    elif want[n] == "/big":
                        self.assertEqual(len(r.content), 160000)
                self.assertEqual(s.stop(), 0)

    @unittest.skipUnless(HAS_GEVENT, "no gevent")
    def test_gevent(self):
        with Supervisor(kind="gevent") as s:
            self.assertEqual(s.get("/gevent").text, "gevent._socket3 Greenlet")


class TestProcess(unittest.TestCase):
    def test_logging(self):
        with Supervisor() as s:
            s.get("/errors")
            self.assertEqual(s.notes(), ["\u20ac \\ud800 \x00 \xff", "ab", "printed \\udfff", "stdout \\udfff"])

    def test_fork(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                self.assertIn("from the parent, child 1", s.get("/fork").text)
                self.assertEqual(s.get().text, "Hello, World!")

    def test_processes(self):
        for kind in ("sync", "threads"):
            with self.subTest(kind), Supervisor(kind=kind) as s:
                self.assertEqual(s.get("/multiprocessing").text, "[0, 0, 0, -15]")
                self.assertEqual(s.get("/terminate").text, "-15")
                self.assertEqual(s.get().text, "Hello, World!")

    def test_descriptors(self):
        with Supervisor() as s:
            self.assertNotIn("\n3\n4", s.get("/descriptors").text)
            fds = s.get("/descriptors").text.split()
            self.assertLessEqual(len(fds), 4)  # 0, 1, 2 and ls' own

    def test_stop(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get("/thread")  # outlives
                s.send(request(1, "/sleep", "0.3"), frame(STOP))
                self.assertEqual(s.finish(1)[0].status, "200 OK")
                self.assertEqual(s.process.wait(5), 0)

    def test_stop_needs_frames(self):
        content = os.urandom(500000)
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.upload(1, content, path="/echo/stream")
                s.send(frame(STOP))
                self.assertTrue(s.finish(1)[0].content == content)
                self.assertEqual(s.process.wait(5), 0)

    def test_orphan(self):
        for kind in CLASSES:
            for path in (None, "/sleep", "/endless"):
                with self.subTest(kind, path=path), Supervisor(kind=kind) as s:
                    if path:
                        s.send(request(1, path, "5" if path == "/sleep" else ""))
                        time.sleep(0.1)
                    s.ours.close()
                    if (kind, path) != ("sync", "/sleep"):
                        s.process.wait(3)
                    else:  # it notices when the call has ended
                        self.assertIsNone(s.process.poll())

    def test_marks(self):
        for kind in CLASSES:
            with self.subTest(kind), tempfile.TemporaryFile() as f:
                f.write(bytes(4096))
                f.flush()
                with Supervisor(kind=kind, marks=5, fd5=f.fileno()) as s:
                    self.assertTrue(s.ready["marks"])
                    s.get()
                    s.send(request(1024 + 7), request(9, "/die"), request(11))
                    with self.assertRaises((EOFError, ConnectionResetError)):
                        s.finish(9)
                marks = struct.unpack("1024I", os.pread(f.fileno(), 4096, 0))
                self.assertEqual({i: n for i, n in enumerate(marks) if n}, {1: 1, 7: 1024 + 7, 9: 9})

    def test_death(self):
        with Supervisor() as s:
            s.send(request(1, "/die"))
            with self.assertRaises((EOFError, ConnectionResetError)):
                s.finish(1)
            self.assertEqual(s.process.wait(5), 7)

    def test_signals(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get()
                for number in (signal.SIGTERM, signal.SIGINT):
                    s.process.send_signal(number)
                self.assertEqual(s.get().text, "Hello, World!")
                s.send(request(1, "/spin" if kind == "gevent" else "/sleep", "0.3"))
                time.sleep(0.1)
                s.process.send_signal(signal.SIGUSR2)
                s.finish(1)
                self.assertIn("in do_s", s.stderr())
                self.assertEqual(s.get().text, "Hello, World!")

    def test_malformed(self):
        for packet in (b"x", frame(REQUEST, 1, b"....")[:-1], request(1)[:-1], frame(GONE, 1) + b"abc"):
            with Supervisor() as s:
                s.send(packet)
                self.assertEqual(s.process.wait(5), 1)
                self.assertIn("malformed", s.stderr())

    def test_state(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get()
                s.get()
                state = marshal.loads([p for k, _, _, p in s.log if k == STATE][0])
                self.assertIn(state["requests"], (0, 1))
                self.assertGreater(state["rss"], 1 << 20)

    def test_idle_costs_nothing(self):
        with Supervisor() as s:
            s.get()
            time.sleep(0.3)
            before = self.switches(s)
            time.sleep(0.5)
            self.assertLess(self.switches(s) - before, 5)

    def switches(self, s):
        total = 0
        for task in os.listdir("/proc/%d/task" % s.process.pid):
            with open("/proc/%d/task/%s/status" % (s.process.pid, task)) as f:
                total += sum(int(line.split()[1]) for line in f if "ctxt" in line)
        return total


class TestLoading(unittest.TestCase):
    def test_names(self):
        cases = [
            ("apps", b"Hello, World!"),
            ("apps:application", b"Hello, World!"),
            ("apps:Nested.inner.app", b"Hello, World!"),
            ("apps:decorated", b"Hello, World!"),
            ("old_tornado", b"WSGI of tornado"),
            ("apps:factory()", b"((), {})"),
            ("apps:factory('a', [1, None], x={'y': -1})", b"(('a', [1, None]), {'x': {'y': -1}})"),
        ]
        for app, content in cases:
            with self.subTest(app), Supervisor(app) as s:
                self.assertEqual(s.get().content, content)

    def test_failures(self):
        cases = [
            ("nowhere", "there is no module 'nowhere' in"),
            ("nowhere.deep:app", "there is no module 'nowhere' in"),
            ("needs", "needs the module 'no_such_dependency'"),
            ("syntax", "has raised SyntaxError"),
            ("exits", "has raised SystemExit"),
            ("empty", "neither 'application' nor 'app'"),
            ("tornadic", "is not a WSGI application: it is a tornado Application"),
            ("tornadic:derived", "is not a WSGI application: it is a tornado Application"),
            ("tornadic:Handler", "is not a WSGI application: it is a tornado RequestHandler"),
            ("apps:missing", "apps has no attribute 'missing'"),
            ("apps:Nested.missing", "apps.Nested has no attribute 'missing'"),
            ("apps:number", "is not a WSGI application: it is a int"),
            ("apps:asynchronous", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:asgi", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:inherits_asgi", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:partial_asgi", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:synchronous", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:asgi2", "is not a WSGI application: it is asynchronous (ASGI)"),
            ("apps:Asgi", "is not a WSGI application: it is a class of asynchronous"),
            ("apps:InheritsAsgi", "is not a WSGI application: it is a class of asynchronous"),
            ("apps:Asgi2", "is not a WSGI application: it is a class of asynchronous"),
            ("apps:factory_with_options", "it takes (config=None), not (environ, start_response); if it makes the application, write it with parentheses"),
            ("apps:asynchronous(1, 2, 3)", "the factory is asynchronous"),
            ("apps:bad_factory()", "has raised ValueError"),
            ("apps:number()", "cannot be called"),
            ("apps:factory(number)", "neither an attribute nor a call with literals"),
            ("apps:factory(**{})", "neither an attribute nor a call with literals"),
            ("apps:1+1", "neither an attribute nor a call with literals"),
            ("apps:", "neither an attribute nor a call with literals"),
            ("a b", "does not name an application"),
            ("", "does not name an application"),
        ]
        broken = os.path.join(DATA_DIRECTORY, "broken")
        for app, text in cases:
            with self.subTest(app), Supervisor(app, ready=False, pythonpath=[broken]) as s:
                self.assertEqual(s.first[0], FAILED)
                last = s.first[3].decode().splitlines()[-1]
                self.assertIn(text, last)
                self.assertEqual(s.process.wait(5), 1)
                if "has raised" in text:
                    self.assertIn("Traceback", s.first[3].decode())
                    self.assertNotIn("worker.py", s.first[3].decode())

    def test_no_directory(self):
        with Supervisor(ready=False, chdir="/nowhere") as s:
            self.assertEqual((s.first[0], s.first[3].decode()), (FAILED, "the worker cannot go to /nowhere: No such file or directory"))

    def test_no_gevent(self):
        if not HAS_GEVENT:
            with Supervisor(ready=False, kind="gevent") as s:
                self.assertIn("pip install gevent", s.first[3].decode())


class TestGolden(unittest.TestCase):
    """The files *.hex: testdata/worker/README.md tells what they are. WORKER_RECORD=1 writes them anew."""

    ITEMS = list(environ(HTTP_ODD="\xe4").items())
    NAMES = tuple(k for k, _ in ITEMS)
    VALUES = marshal.dumps(tuple("/environ/keys" if k == "PATH_INFO" else v for k, v in ITEMS), 2)

    # A packet is sent, a number is how many frames are awaited then.
    CONVERSATIONS = {
        "hello": [request(1), 1],
        "keys": [frame(KEYS, 3, marshal.dumps(NAMES, 2)), frame(REQUEST, 7, struct.pack("<I", len(VALUES)) + VALUES, END, 3), 1],
        "latin-1": [request(2, "/good/head", HTTP_X="\xe4\xff"), 1],
        "content": [request(3, "/echo", content=b"a=1&b=2", method="POST"), 1],
        "streamed-content": [
            request(4, "/echo/stream", flags=0, method="POST", CONTENT_LENGTH="7"), 1, frame(BODY, 4, b"one"), frame(BODY, 4, b" two", END), 2,
        ],
        "broken-content": [
            request(4, "/echo/stream", flags=0, method="POST", CONTENT_LENGTH="7"), 1, frame(BODY, 4, b"one"), frame(BODY, 4, b"the client has left", FAIL), 1,
        ],
        "stream": [request(5, "/stream"), 4],
        "length-known": [request(5, "/too/much"), 2],
        "head": [request(6, "/stream", method="HEAD"), 2],
        "file": [request(7, "/file/offset"), 2],
        "hints": [request(8, "/hints"), 2],
        "hold": [request(9, "/hold/response"), 1],
        "hold-stream": [request(10, "/hold/stream"), 1],
        "publish": [request(11, "/publish"), 1, frame(RESULT, 1, marshal.dumps((42, 3), 2)), 1],
        "publish-failed": [request(11, "/publish"), 1, frame(RESULT, 1, marshal.dumps(None, 2)), 1],
        "abort": [request(12, "/never"), 1],
        "credit": [request(13, "/stream"), 2, frame(CREDIT, 13, struct.pack("<I", 100)), 3],
        "gone": [request(14, "/stream"), 2, frame(GONE, 14), 1],
        "returned": [
            request(15, "/echo", flags=0, method="POST", CONTENT_LENGTH="0"), 1, request(16), 1, frame(BODY, 15, b"", END), 1,
        ],
        "two-frames": [frame(GONE, 99) + request(17), 1],
    }

    def test_conversations(self):
        for name, steps in self.CONVERSATIONS.items():
            path = os.path.join(DATA_DIRECTORY, name + ".hex")
            config = dict(credit=6, returns=True) if name in ("credit", "gone") else dict(returns=True)
            lines = []
            with self.subTest(name), Supervisor(**config) as s:
                for step in steps:
                    if type(step) is bytes:
                        lines.append("> " + step.hex())
                        s.ours.send(step)
                        continue
                    while step:
                        packet = s.ours.recvmsg(200000, 256)[0]
                        for kind, flags, number, payload in frames(packet):
                            if kind not in (BEGUN, STATE):
                                if kind == ABORT:
                                    payload = payload.splitlines(True)[-1]
                                lines.append("< " + frame(kind, number, payload, flags).hex())
                                step -= 1
                    self.assertEqual(step, 0)
                if os.environ.get("WORKER_RECORD"):
                    with open(path, "w") as f:
                        f.write("\n".join(lines) + "\n")
                with open(path) as f:
                    self.assertEqual(lines, [line for line in f.read().splitlines() if line[:1] in "<>"])


if __name__ == "__main__":
    unittest.main()
