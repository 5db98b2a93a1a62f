"""Tests of worker.py: the classes that serve several requests at a time, the process, and importing the application."""

import marshal
import os
import signal
import struct
import tempfile
import time
import unittest

from worker_supervisor import CLASSES, DATA_DIRECTORY, FAILED, GONE, HAS_GEVENT, REQUEST, STATE, STOP, Supervisor, frame, request


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

    @unittest.skipUnless(HAS_GEVENT, "no gevent")
    def test_timeout_that_is_forgotten(self):
        """It ends none but calls of the greenlet that has started it."""
        with Supervisor(kind="gevent") as s:
            s.send(request(1, "/sleep", "0.5"), request(2, "/timeout"), *[request(n, "/spin", "0.002") for n in range(3, 80)])
            self.assertEqual([r.status for r in s.finish(*range(1, 80))], ["200 OK"] * 79)
            self.assertIn("Timeout: 0.05 seconds", s.stderr())
            self.assertEqual(s.stop(), 0)


class TestProcess(unittest.TestCase):
    def test_logging(self):
        with Supervisor() as s:
            s.get("/errors")
            self.assertEqual(s.notes(), ["\u20ac \\ud800 \x00 \xff", "ab", "printed \\udfff", "stdout \\udfff"])

    def test_lines_end_with_the_call(self):
        """What a call has written is its own line, whether the next one of the thread writes something or not."""
        partial, line = "\x1e%d GET /partial\x1fbegun by partial", "\x1e%d GET /line\x1fa line of line"
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1, "/partial") + request(2, "/line") + request(3, "/partial"))
                s.finish(1, 2, 3)
                end = time.monotonic() + 5
                while "/partial" not in s.raw_stderr()[len(partial % 1) :] and time.monotonic() < end:
                    time.sleep(0.01)
                self.assertCountEqual(s.raw_stderr().split("\n"), [partial % 1, line % 2, partial % 3, ""])

    def test_fork(self):
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                self.assertIn("from the parent, child 1", s.get("/fork").text)
                self.assertEqual(s.get().text, "Hello, World!")

    def test_fork_that_waits(self):
        """What an application forks may wait. It serves nobody, and the calls of others that gevent has copied do not end it."""
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.send(request(1, "/sleep", "0.1"), request(2, "/slow/write"), request(3, "/fork/wait"), request(4, "/big", "160000"))
                _, slow, fork, big = s.finish(1, 2, 3, 4)
                self.assertEqual((fork.text, slow.text, len(big.content)), ("5 0", "xxxxx", 160000))
                self.assertEqual(s.notes(), ["worked", "worked"])
                s.get("/fork/late")
                s.wait_note("status 1")
                self.assertEqual(s.get().text, "Hello, World!")
                self.assertEqual(s.stop(), 0)
                self.assertNotIn("Traceback", s.stderr())

    @unittest.skipUnless(HAS_GEVENT, "no gevent")
    def test_fork_while_others_are_ready(self):
        """The greenlet that reads, and has let another do something, is copied too."""
        with Supervisor(kind="gevent") as s:
            s.send(request(1, "/sleep", "0.02"), *[request(n, "/spin", "0.005") for n in range(2, 8)])
            s.send(request(8, "/fork/wait"), *[request(n, "/spin", "0.005") for n in range(9, 30)])
            self.assertEqual(s.finish(*range(1, 30))[7].text, "5 0")
            s.get("/fork/greenlet")
            s.wait_note("status 1")
            self.assertEqual(s.stop(), 0)
            self.assertEqual(s.notes(), ["worked", "worked", "status 1", "atexit"])

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
                s.send(request(1, "/sleep", "0.3"), frame(STOP))
                self.assertEqual(s.finish(1)[0].status, "200 OK")
                self.assertEqual(s.process.wait(5), 0)

    def test_end(self):
        """A worker waits for what Python waits for at its end, and for nothing else."""
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get("/thread")
                began = time.monotonic()
                self.assertEqual(s.stop(), 0)
                self.assertLess(time.monotonic() - began, 1.5)
                self.assertEqual(s.notes(), ["thread", "atexit", "last"])
                self.assertIn("atexit has failed", s.stderr())

    def test_end_publishes(self):
        """What a worker waits for at its end can publish."""
        for kind in CLASSES:
            with self.subTest(kind), Supervisor(kind=kind) as s:
                s.get("/publish/at_the_end")
                s.send(frame(STOP))
                with self.assertRaises(EOFError):
                    while True:
                        s.step()
                self.assertEqual(s.process.wait(10), 0)
                self.assertEqual(sorted(s.notes()), [name + " (42, 3)" for name in ("atexit", "one", "one", "other", "other")])

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

    def test_no_threads(self):
        with Supervisor("crowded:application", kind="threads", threads=200, ready=False) as s:
            self.assertEqual(s.first[0], FAILED)
            self.assertIn("the system gives the worker no more threads, and it has 201: lower --threads", s.first[3].decode())
            self.assertEqual(s.process.wait(5), 1)

    def test_no_gevent(self):
        if not HAS_GEVENT:
            with Supervisor(ready=False, kind="gevent") as s:
                self.assertIn("pip install gevent", s.first[3].decode())


if __name__ == "__main__":
    unittest.main()
