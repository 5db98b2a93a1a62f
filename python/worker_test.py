"""Tests of worker.py: the environ, responses, and what the environ offers beside.

    python3 worker_test.py              # tests the worker under the Python that runs the tests
    WORKER_PYTHON=python3.8 python3 worker_test.py
"""

import ast
import marshal
import os
import signal
import struct
import sys
import time
import unittest

from worker_supervisor import (
    BEGUN, CLASSES, CREDIT, DATA, DATA_DIRECTORY, END, HEAD, KEYS, PUBLISH, REQUEST, RETURNED, Response, Supervisor, environ, frame, request,
)


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
            ("/makes", "has returned a function, which can be called, and no content: if it makes the application, write it with parentheses", False),
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

    def test_too_little(self):
        """Content that is shorter than Content-Length is told of, with the request, where it would have been sent."""
        for kind in CLASSES:
            with Supervisor(kind=kind) as s:
                for i, (path, given) in enumerate([("/too/little", 4), ("/too/little/at/once", 4), ("/too/little/of/nothing", 0), ("/too/little/file", 4)]):
                    with self.subTest(kind + path):
                        s.get(path, method="HEAD")
                        s.get(path)
                        told = [line for line in s.stderr().splitlines() if "less content" in line]
                        self.assertEqual(len(told), i + 1)
                        self.assertIn("which is 9: %d;" % given, told[-1])

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

    def test_block_is_not_delayed_by_what_keeps_the_lock(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1, "/compute/stream"))
                while s.responses.get(1, Response()).text != "firstsecond":
                    s.step()
                began = time.monotonic()
                self.assertEqual(s.finish(1)[0].text, "firstsecondthird")
                self.assertGreater(time.monotonic() - began, 0.3)

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


class TestExtensions(unittest.TestCase):
    def test_all(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                r = s.get("/hints")
                self.assertEqual((r.hints, r.text), ([("Link", "</a.css>; rel=preload")], "hinted"))
                r = s.get("/hints/long")
                self.assertEqual(r.hints, [])
                self.assertIn("the early hints are too long", r.text)
                self.assertEqual(s.get("/publish").text, "(42, 3)")
                self.assertEqual(s.published, ("chat", "m\xfc".encode()))
                r = s.get("/hold")
                nothing = dict(timeout=None, since=None, stream=False, format=None, wildcards=False, status=None, headers=None, content=b"")
                self.assertEqual(r.hold, dict(nothing, topics=["chat"]))
                r = s.get("/hold/response")
                self.assertEqual(
                    r.hold,
                    dict(topics=["a", "b"], timeout=3.0, since=str(2**40), stream=False, format="json", wildcards=False, status="202 Nothing",
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


if __name__ == "__main__":
    unittest.main()
