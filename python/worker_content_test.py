"""Tests of worker.py: the content of requests, the credit for that of responses, and files."""

import os
import random
import socket
import struct
import time
import unittest

from worker_supervisor import BODY, CLASSES, CREDIT, DATA_DIRECTORY, END, FAIL, GONE, RETURNED, WANT, Response, Supervisor, frame, request


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
                        s.uploads[1] = [b"", 0, 0]
                        s.send(request(1, "/lines", flags=0, method="POST", CONTENT_LENGTH=str(len(content))))
                        while not any(k == WANT for k, _, _, _ in s.log):
                            s.step()
                        s.log.clear()
                        for place, at in enumerate(range(0, len(content), size)):
                            s.send(frame(BODY, 1, content[at : at + size], 0, place))
                        s.send(frame(BODY, 1, b"", END, place + 1))
                        self.assertEqual(s.finish(1)[0].text, want)

    def test_order(self):
        """BODY frames that were taken back and sent again come behind others; places begin anew behind 65535."""
        pieces = [b"%d," % i for i in range(70000)]
        content = b"".join(pieces)
        frames = [frame(BODY, 1, piece, 0, place & 0xFFFF) for place, piece in enumerate(pieces)]
        frames.append(frame(BODY, 1, b"", END, len(pieces) & 0xFFFF))
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.uploads[1] = [b"", 0, 0]
                s.send(request(1, "/echo/stream", flags=0, method="POST", CONTENT_LENGTH=str(len(content))))
                for at in range(0, len(frames), 30):
                    some = frames[at : at + 30]
                    random.Random(at).shuffle(some)
                    s.send(b"".join(some))
                self.assertTrue(s.finish(1)[0].content == content)

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

    def test_reading_after_the_response(self):
        """What has come can be read to its end when the response is complete; what has not can no more."""
        content = os.urandom(800000)
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.upload(1, content, path="/echo/length")
                self.assertTrue(s.finish(1)[0].content == content)
                s.wait_note("end")
                s.upload(1, content, path="/echo/length", query="10")
                self.assertEqual(s.finish(1)[0].content, content[:10])
                s.wait_note("wsgi.input was read after the response had ended")
                self.assertEqual(s.stop(), 0)
                self.assertEqual(len(s.notes()), 2)

    def test_nothing_is_left(self):
        """Whatever the answer is, nothing is kept of a request whose content came in parts."""
        content = bytes(300000)
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for answer in ("list", "blocks", "tuple", "generator", "empty", "none", "hold", "raise"):
                    with self.subTest(kind + " " + answer):
                        for number in (1, 2):
                            s.upload(number, content, path="/glance", query=answer)
                        s.finish(1, 2)
                        self.assertEqual(s.get("/streams").text, "0")

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
                    s.uploads[1] = [b"", 0, 0]
                    s.send(request(1, "/input/error", flags=0, method="POST", CONTENT_LENGTH="10"))
                    while not any(k == WANT for k, _, _, _ in s.log):
                        s.step()
                    s.log.clear()
                    s.send(last)
                    r = s.finish(1)[0]
                    s.wait_note("read has raised " + text)
                    self.assertEqual(r.abort is None, last[4] == GONE)
                self.assertEqual(s.get().text, "Hello, World!")

    def test_thread(self):
        """A thread of the application may read while the call writes; it does not wait for what does not come."""
        content = os.urandom(2_000_000)
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                for _ in range(3):
                    s.upload(1, content, path="/echo/thread")
                    self.assertTrue(s.finish(1)[0].content == content)
                s.uploads[1] = [b"", 0, 0]
                s.send(request(1, "/read/thread", flags=0, method="POST", CONTENT_LENGTH="3"))
                self.assertEqual(s.finish(1)[0].status, "200 OK")
                self.assertEqual(s.stop(), 0)
                self.assertEqual(s.notes(), ["wsgi.input was read after the response had ended"])

    def test_requests_meanwhile(self):
        with Supervisor() as s:
            for returns in (False, True):
                s.uploads[1] = [b"", 0, 0]
                s.send(request(1, "/echo", flags=0, method="POST", CONTENT_LENGTH="3"))
                while not any(k == WANT for k, _, _, _ in s.log):
                    s.step()
                s.log.clear()
                s.send(request(2), request(3), frame(GONE, 2), frame(BODY, 1, b"abc", END))
                one, two, three = s.finish(1, 2, 3)
                self.assertEqual((one.text, two.text, three.text), ("b'abc'", "", "Hello, World!"))
        with Supervisor(returns=True) as s:
            s.uploads[1] = [b"", 0, 0]
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

    def test_gone_without_content(self):
        """A response that says nothing learns that its client has left, whether it has begun or not."""
        for kind in CLASSES:
            for begun in ("begun", ""):
                with self.subTest(kind + begun), Supervisor(kind=kind) as s:
                    s.send(request(1, "/endless/empty", begun))
                    if begun:
                        while s.responses.get(1, Response()).text != begun:
                            s.step()
                    else:
                        time.sleep(0.05)
                    s.send(frame(GONE, 1))
                    s.finish(1)
                    s.wait_note("close")
                    self.assertEqual(s.get().text, "Hello, World!")
                    self.assertEqual(s.stop(), 0)
                    self.assertNotIn("Traceback", s.stderr())

    def test_many_gone(self):
        """Clients that leave just when they are answered are not remembered for ever."""
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                number = 1 << 32  # numbers begin anew
                for _ in range(8):
                    s.send(b"".join(frame(GONE, (number + i) % (1 << 32)) for i in range(-4000, 4000)))
                    number += 8000
                self.assertLess(int(s.get("/vanished").text), 16384)
                s.send(request(1, "/disconnected"))
                time.sleep(0.05)
                s.send(frame(GONE, 1))
                s.finish(1)
                s.wait_note("disconnected True")
                self.assertEqual(s.stop(), 0)

    def test_lines_without_end(self):
        """They are broken, in the class gevent at the end of the greenlet too."""
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                for _ in range(3):
                    self.assertLess(int(s.get("/dots").text), 2 * (16 << 10))
                self.assertEqual(s.stop(), 0)
                self.assertEqual(s.stderr().count("."), 3 * 400000)


class TestFile(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(DATA_DIRECTORY, "file.txt"), "rb") as f:
            self.content = f.read()

    def test_files(self):
        n = len(self.content)
        with open("/proc/version", "rb") as f:
            version = f.read()
        cases = [
            ("/file", "", self.content, (0, n), str(n)),
            ("/file/offset", "", self.content[21:28], (21, 7), "7"),
            ("/file/temporary", "", b"porary", (3, 6), "6"),
            ("/file/temporary", "unnamed", b"porary", (3, 6), "6"),
            ("/file/bytes", "", b"23456789", None, None),
            ("/file/gzip", "", b"unzipped", None, None),
            ("/file/middleware", "", self.content.upper(), None, None),
            ("/file/empty", "", b"", None, None),
            ("/file/proc", "", version, None, None),  # which says that it is empty
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


if __name__ == "__main__":
    unittest.main()
