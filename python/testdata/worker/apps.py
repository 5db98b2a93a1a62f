"""Applications for the tests of worker.py. What they note with note() is read by the test from standard error."""

import functools
import gzip
import io
import os
import sys
import tempfile
import threading
import time
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
HERE = os.path.dirname(os.path.abspath(__file__))
OK = "200 OK"


def note(text):
    sys.stderr.write("NOTE %s\n" % text)
    sys.stderr.flush()


class Body:
    """An iterable that notes its close()."""

    def __init__(self, *blocks, fail=None, close_fails=False):
        self.blocks = iter(blocks)
        self.fail = fail
        self.close_fails = close_fails

    def __iter__(self):
        return self

    def __next__(self):
        for block in self.blocks:
            return block() if callable(block) else block
        if self.fail:
            raise self.fail
        raise StopIteration

    def close(self):
        note("close")
        if self.close_fails:
            raise ValueError("close has failed")


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/").replace("/", "_")
    return globals()["do_" + name](environ, start_response)


def plain(start_response, text="", headers=TEXT):
    start_response(OK, list(headers))
    return [text.encode()]


def do_hello(environ, start_response):
    start_response(OK, [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, World!"]


def do_environ(environ, start_response):
    assert type(environ) is dict
    leak = environ.get("leak")
    environ["leak"] = "yes"
    keep = {k: v for k, v in environ.items() if type(v) in (str, bool, tuple)}
    keep["leak"] = leak
    keep["main"] = threading.current_thread() is threading.main_thread()
    return plain(start_response, repr(keep))


def do_empty(environ, start_response):
    return plain(start_response)


def do_nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def do_list(environ, start_response):
    start_response(OK, TEXT)
    return [b"a", b"", b"bc"]


def do_big(environ, start_response):
    start_response(OK, TEXT)
    return [b"0123456789abcdef" * (int(environ["QUERY_STRING"]) // 16)]


def do_stream(environ, start_response):
    start_response(OK, TEXT)
    return Body(b"", b"one ", b"", b"two ", b"three")


def do_vanished(environ, start_response):
    start_response(OK, [])
    return [str(len(environ["weir.hub"].worker.vanished)).encode()]


def do_dots(environ, start_response):
    """Writes lines without an end; says how much of them is kept."""
    import sys

    streams = sys.stdout.lines, sys.stderr.lines
    for _ in range(200):
        print("." * 1000, end="")
        sys.stderr.write("." * 1000)
    start_response(OK, [])
    return [str(sum(len(text) for s in streams for _, text in s.begun.values())).encode()]


def do_partial(environ, start_response):
    sys.stderr.write("begun by partial")
    return plain(start_response)


def do_line(environ, start_response):
    print("a line of line", file=sys.stderr)
    return plain(start_response)


def do_late(environ, start_response):
    def body():
        yield b""
        start_response(OK, TEXT)
        yield b"late"

    return body()


def do_never(environ, start_response):
    return [b"x"]


def do_none(environ, start_response):
    start_response(OK, TEXT)
    return None


def do_status_none(environ, start_response):
    start_response(None, TEXT)
    return [b""]


def do_str(environ, start_response):
    start_response(OK, TEXT)
    return ["text"]


def do_str_stream(environ, start_response):
    start_response(OK, TEXT)
    return Body("text")


def do_bytes(environ, start_response):
    start_response(OK, TEXT)
    return b"text"


def do_write(environ, start_response):
    write = start_response(OK, TEXT)
    write(b"written ")
    write(b"twice ")
    return [b"returned"]


def do_write_str(environ, start_response):
    start_response(OK, TEXT)("text")


def do_write_length(environ, start_response):
    write = start_response(OK, TEXT + [("Content-Length", "4")])
    write(b"0123")
    write(b"")
    return [b""]


def do_raise(environ, start_response):
    raise ValueError("before \udc80 the head")


def do_raise_started(environ, start_response):
    start_response(OK, TEXT)
    raise ValueError("before the head left")


def do_raise_stream(environ, start_response):
    start_response(OK, TEXT)
    return Body(b"begun", fail=ValueError("in the middle"))


def do_raise_close(environ, start_response):
    start_response(OK, TEXT)
    return Body(b"all", close_fails=True)


def do_exit(environ, start_response):
    sys.exit(3)


def do_interrupt(environ, start_response):
    raise KeyboardInterrupt


def do_memory(environ, start_response):
    raise MemoryError


def do_recursion(environ, start_response):
    return do_recursion(environ, start_response)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def do_unprintable(environ, start_response):
    raise Unprintable


def do_twice(environ, start_response):
    start_response(OK, TEXT)
    start_response(OK, TEXT)
    return [b"x"]


def do_twice_swallowed(environ, start_response):
    start_response(OK, TEXT)
    try:
        start_response(OK, TEXT)
    except AssertionError:
        pass
    return [b"x"]


def do_replace(environ, start_response):
    start_response(OK, TEXT)
    try:
        raise ValueError
    except ValueError:
        start_response("500 Oops", [("X-Replaced", "yes")], sys.exc_info())
    return [b"replaced"]


def do_replace_late(environ, start_response):
    write = start_response(OK, TEXT)
    write(b"sent")
    try:
        raise ValueError("the original")
    except ValueError:
        start_response("500 Oops", [("X-Replaced", "yes")], sys.exc_info())
    return [b"replaced"]


def do_replace_bad(environ, start_response):
    try:
        start_response("bad", TEXT)
    except ValueError:
        start_response("500 Oops", [("X-Replaced", "yes")], sys.exc_info())
    return [b"replaced"]


BAD_HEADS = {
    "status_int": (200, []),
    "status_short": ("200", []),
    "status_control": ("200 O\rK", []),
    "status_newline": ("200 OK\n", []),
    "status_bytes": (b"200 OK", []),
    "status_wide": ("200 \u20ac", []),
    "status_interim": ("100 Continue", []),
    "headers_tuple": (OK, (("A", "b"),)),
    "headers_dict": (OK, {"A": "b"}),
    "headers_list": (OK, [["A", "b"]]),
    "headers_three": (OK, [("A", "b", "c")]),
    "name_empty": (OK, [("", "b")]),
    "name_space": (OK, [("A b", "b")]),
    "name_newline": (OK, [("A\n", "b")]),
    "name_colon": (OK, [("A:", "b")]),
    "name_bytes": (OK, [(b"A", "b")]),
    "name_latin": (OK, [("\xe4", "b")]),
    "value_crlf": (OK, [("A", "b\r\nC: d")]),
    "value_newline": (OK, [("A", "b\n")]),
    "value_nul": (OK, [("A", "b\0")]),
    "value_del": (OK, [("A", "b\x7f")]),
    "value_wide": (OK, [("A", "\u20ac")]),
    "value_int": (OK, [("A", 1)]),
    "value_bytes": (OK, [("A", b"b")]),
    "hop": (OK, [("Connection", "close")]),
    "hop_te": (OK, [("transfer-ENCODING", "chunked")]),
    "length_twice": (OK, [("Content-Length", "1"), ("content-length", "1")]),
    "length_bad": (OK, [("Content-Length", "+1")]),
}


def do_head(environ, start_response):
    status, headers = BAD_HEADS[environ["QUERY_STRING"]]
    try:
        start_response(status, headers)
    except (TypeError, ValueError, AssertionError) as e:
        note("at call: " + type(e).__name__)
        raise
    return [b"x"]


def do_good_head(environ, start_response):
    start_response("299 Gr\xfc\xdfe\t!", [("X-Latin", "\xe4\xff\tx"), ("X-Empty", ""), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"x"]


def do_too_much(environ, start_response):
    start_response(OK, [("Content-Length", "4")])
    return Body(b"012", b"345", b"678")


def do_exact(environ, start_response):
    start_response(OK, [("Content-Length", "4")])
    return Body(b"0123")


def do_too_little(environ, start_response):
    start_response(OK, [("Content-Length", "9")])
    return Body(b"0123")


def do_too_little_at_once(environ, start_response):
    start_response(OK, [("Content-Length", "9")])
    return [b"0123"]


def do_too_little_of_nothing(environ, start_response):
    start_response(OK, [("Content-Length", "9")])
    return iter(())


def do_too_little_file(environ, start_response):
    start_response(OK, [("Content-Length", "9")])
    file = tempfile.TemporaryFile()
    file.write(b"0123")
    file.flush()
    file.seek(0)
    return environ["wsgi.file_wrapper"](file)


def do_makes(environ, start_response):
    return application


def do_one_mismatch(environ, start_response):
    start_response(OK, [("Content-Length", "2")])
    return [b"0123"]


def do_endless(environ, start_response):
    start_response(OK, TEXT)

    def body():
        try:
            i = 0
            while True:
                yield b"x" * 10000
                i += 1
                if environ["QUERY_STRING"]:
                    time.sleep(float(environ["QUERY_STRING"]))
        finally:
            note("close")

    return body()


def do_endless_empty(environ, start_response):
    """Has nothing to say for ever, but looks every 10 ms."""
    start_response(OK, TEXT)

    def body():
        try:
            yield environ["QUERY_STRING"].encode()
            while True:
                time.sleep(0.01)
                yield b""
        finally:
            note("close")

    return body()


def do_endless_write(environ, start_response):
    write = start_response(OK, TEXT)
    try:
        while True:
            write(b"x" * 10000)
    except Exception as e:
        note("write has raised " + type(e).__name__)
        raise


def do_slow_stream(environ, start_response):
    start_response(OK, TEXT)
    yield b"first"
    time.sleep(0.3)
    yield b"second"


def do_compute_stream(environ, start_response):
    """Computes something that keeps Python's lock while a block is on its way."""
    import ctypes

    start_response(OK, TEXT)
    yield b"first"
    time.sleep(0.1)
    yield b"second"
    ctypes.PyDLL(None).usleep(500000)
    yield b"third"


def do_sleep(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"]))
    return plain(start_response, threading.current_thread().name)


def do_spin(environ, start_response):
    end = time.monotonic() + float(environ["QUERY_STRING"])
    while time.monotonic() < end:
        pass
    return plain(start_response)


def do_disconnected(environ, start_response):
    probe = environ["weir.disconnected"]
    end = time.monotonic() + 5
    while not probe() and time.monotonic() < end:
        time.sleep(0.005)
    note("disconnected %s" % probe())
    return plain(start_response, "left")


# content of the request


def do_echo(environ, start_response):
    data = environ["wsgi.input"].read()
    again = environ["wsgi.input"].read(10)
    assert again == b"", again
    return plain(start_response, repr(data) if len(data) < 1000 else "%d %d" % (len(data), sum(data)))


def do_echo_stream(environ, start_response):
    start_response(OK, TEXT)
    while True:
        data = environ["wsgi.input"].read(50000)
        if not data:
            return
        yield data


def do_echo_length(environ, start_response):
    """Reads on when the response is complete, which it is at once when its length is asked for."""
    read, length = environ["wsgi.input"].read, environ["QUERY_STRING"]
    start_response(OK, [("Content-Length", length or environ["CONTENT_LENGTH"])])
    if length:
        yield read(int(length))
        try:
            read()
        except ValueError as e:
            note(str(e))
    while not length:
        data = read(8192)
        if not data:
            note("end")
            break
        yield data


def do_lines(environ, start_response):
    f = environ["wsgi.input"]
    got = [f.readline(), f.readline(2), f.readline(100), f.readlines(1), f.read(1), f.read(0), list(f), f.read(), f.readline(), f.readlines()]
    return plain(start_response, repr(got))


def do_text_input(environ, start_response):
    got = io.TextIOWrapper(environ["wsgi.input"], encoding="utf-8").read()
    return plain(start_response, repr(got))


def do_count(environ, start_response):
    size = 0
    f = environ["wsgi.input"]
    while True:
        data = f.read(int(environ["QUERY_STRING"]))
        if not data:
            break
        size += len(data)
    return plain(start_response, str(size))


def do_no_read(environ, start_response):
    return plain(start_response, "unread")


ANSWERS = {
    "list": lambda start_response: plain(start_response, "x" * 20000),
    "blocks": lambda start_response: (start_response(OK, TEXT), [b"a", b"b"])[1],
    "tuple": lambda start_response: (start_response(OK, TEXT), (b"a",))[1],
    "generator": lambda start_response: (start_response(OK, TEXT), Body(b"a", b"b"))[1],
    "empty": lambda start_response: (start_response(OK, TEXT), Body())[1],
    "none": lambda start_response: (start_response("204 No Content", []), [])[1],
}


def do_glance(environ, start_response):
    """Reads the beginning of the content only, and answers in one way or another."""
    assert environ["wsgi.input"].read(10)
    if environ["QUERY_STRING"] == "hold":
        return environ["weir.hub"].hold("chat")
    if environ["QUERY_STRING"] == "raise":
        raise ValueError
    return ANSWERS[environ["QUERY_STRING"]](start_response)


def do_streams(environ, start_response):
    return plain(start_response, str(len(environ["weir.hub"].worker.streams)))


def do_input_error(environ, start_response):
    try:
        environ["wsgi.input"].read()
    except OSError as e:
        note("read has raised %s: %s" % (type(e).__name__, e))
        raise


def do_errors(environ, start_response):
    e = environ["wsgi.errors"]
    e.write("NOTE \u20ac \ud800 \x00 \xff\n")
    e.writelines(["NOTE a", "b\n"])
    print("NOTE printed \udfff", file=e, flush=True)
    print("NOTE stdout \udfff")
    return plain(start_response)


# files


def path_of(environ):
    return os.path.join(HERE, "file.txt")


def do_file(environ, start_response):
    start_response(OK, TEXT)
    return environ["wsgi.file_wrapper"](open(path_of(environ), "rb"))


class NotingFile(io.FileIO):
    pass


def do_file_proc(environ, start_response):
    start_response(OK, TEXT)
    return environ["wsgi.file_wrapper"](open("/proc/version", "rb"))


def do_file_empty(environ, start_response):
    start_response(OK, TEXT)
    return environ["wsgi.file_wrapper"](tempfile.TemporaryFile())


def do_file_offset(environ, start_response):
    f = open(path_of(environ), "rb")
    f.read(5)
    f.readline()  # the descriptor's own offset is at the end now
    start_response(OK, [("Content-Length", "7")])
    wrapper = environ["wsgi.file_wrapper"](f, 4)
    close = wrapper.close
    wrapper.close = lambda: (note("close"), close())
    return wrapper


def do_file_temporary(environ, start_response):
    f = tempfile.TemporaryFile() if environ["QUERY_STRING"] else tempfile.NamedTemporaryFile()
    f.write(b"temporary")
    f.seek(3)
    start_response(OK, TEXT)
    return environ["wsgi.file_wrapper"](f)


def do_file_bytes(environ, start_response):
    start_response(OK, TEXT)
    f = io.BytesIO(b"0123456789")
    f.seek(2)
    return environ["wsgi.file_wrapper"](f, 3)


def do_file_gzip(environ, start_response):
    start_response(OK, TEXT)
    data = io.BytesIO(gzip.compress(b"unzipped"))
    path = tempfile.mktemp()
    with open(path, "wb") as f:
        f.write(data.getvalue())
    f = gzip.open(path)
    os.unlink(path)
    return environ["wsgi.file_wrapper"](f)


def do_file_middleware(environ, start_response):
    start_response(OK, TEXT)
    return (block.upper() for block in environ["wsgi.file_wrapper"](open(path_of(environ), "rb")))


def do_file_write(environ, start_response):
    start_response(OK, TEXT)(b"before ")
    return environ["wsgi.file_wrapper"](open(path_of(environ), "rb"))


# extensions


def do_hints(environ, start_response):
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
    return plain(start_response, "hinted")


def do_hints_long(environ, start_response):
    try:
        environ["wsgi.early_hints"]([("Link", "<%s>" % ("x" * 200))] * 1000)
    except ValueError as e:
        return plain(start_response, str(e))


def do_echo_thread(environ, start_response):
    """A thread reads while the call writes what it has read."""
    import queue

    blocks = queue.Queue(2)

    def read():
        while True:
            block = environ["wsgi.input"].read(10000)
            blocks.put(block)
            if not block:
                break

    threading.Thread(target=read).start()
    start_response(OK, TEXT)
    return iter(blocks.get, b"")


def do_read_thread(environ, start_response):
    """Leaves behind a thread that waits for content which does not come."""

    def read():
        try:
            environ["wsgi.input"].read()
        except ValueError as e:
            note(str(e))

    threading.Thread(target=read, daemon=False).start()
    time.sleep(0.1)
    return plain(start_response)


def do_publish(environ, start_response):
    return plain(start_response, repr(environ["weir.hub"].publish("chat", "m\xfc")))


def do_publish_background(environ, start_response):
    hub = environ["weir.hub"]
    threading.Thread(target=lambda: note("published %r" % (hub.publish("chat", b"x"),))).start()
    return plain(start_response)


def do_publish_at_the_end(environ, start_response):
    """Leaves behind two threads and a function that publish when the worker ends."""
    import atexit

    hub, at_once, main = environ["weir.hub"], threading.Barrier(2), threading.main_thread()

    def farewell(name):
        note("%s %r" % (name, hub.publish("chat", name)))

    def work(name):
        until = time.monotonic() + 1
        while main.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        at_once.wait()
        farewell(name)
        farewell(name)

    threading.Thread(target=work, args=("one",), daemon=False).start()
    threading.Thread(target=work, args=("other",), daemon=False).start()
    atexit.register(farewell, "atexit")
    return plain(start_response)


def do_hold(environ, start_response):
    return environ["weir.hub"].hold("chat")


def do_hold_response(environ, start_response):
    environ["weir.hub"].hold(["a", "b"], timeout=3, since=2**40, format="json")
    start_response("202 Nothing", TEXT)
    return Body(b"nothing", b" new")


def do_hold_stream(environ, start_response):
    environ["weir.hub"].hold(["a"], stream=True)
    start_response(OK, [("Content-Type", "text/event-stream"), ("Content-Length", "3")])
    return [b":\n\n"]


def do_hold_generator(environ, start_response):
    yield b""
    environ["weir.hub"].hold(["a"])
    start_response("200 Waiting", TEXT)
    yield b"nothing"
    yield b" new"


def do_hold_error(environ, start_response):
    environ["weir.hub"].hold(["a"])
    start_response("403 No", TEXT)
    return Body(b"not for", b" you")


def do_hold_headless(environ, start_response):
    environ["weir.hub"].hold(["a"])
    return [b"x"]


def do_hold_wrong(environ, start_response):
    """Calls hold() as it may not be called, and tells what that raises."""
    wrong = []
    for arguments in (
        dict(topics=[]),
        dict(topics=""),
        dict(topics=[b"a"]),
        dict(topics="a\nb"),
        dict(topics="\udc80"),
        dict(topics=3),
        dict(topics="a", timeout=-1),
        dict(topics="a", timeout="soon"),
        dict(topics="a", timeout=float("nan")),
        dict(topics="a", timeout=1, stream=True),
        dict(topics="a", since="x"),
        dict(topics="a", since=-1),
        dict(topics="a", since=1.5),
        dict(topics="a", since=2**64),
        dict(topics="a", format="events"),
        dict(topics="a", format="json", stream=True),
        dict(topics="a", mode="json"),
    ):
        try:
            environ["weir.hub"].hold(**arguments)
            wrong.append("nothing")
        except Exception as e:
            wrong.append("%s: %s" % (type(e).__name__, e))
    return plain(start_response, "\n".join(wrong))


def do_hold_encoded(environ, start_response):
    environ["weir.hub"].hold(["a"])
    start_response(OK, [("Content-Encoding", "gzip")])
    return [b"x"]


def do_nothing_much(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "9")])
    return [b"123456789"]


def do_late_write(environ, start_response):
    start_response(OK, TEXT)

    def body():
        for i in range(100):
            if i == 60:
                time.sleep(0.2)  # longer than the ticker stays awake
            yield b"x" * 10000
        yield b"y"
        time.sleep(0.4)
        yield b"z"

    return body()


def do_hold_late(environ, start_response):
    start_response(OK, TEXT)(b"x")
    environ["weir.hub"].hold(["a"])


# processes


def do_fork(environ, start_response):
    pid = os.fork()
    if pid == 0:
        return plain(start_response, "from the child")  # which must not be heard
    _, status = os.waitpid(pid, 0)
    return plain(start_response, "from the parent, child %d" % (status >> 8))


def do_fork_wait(environ, start_response):
    """Forks processes that wait for something, one of them as multiprocessing does, and waits for them."""
    import multiprocessing

    def work():
        time.sleep(0.3)
        note("worked")

    pid = os.fork()
    if pid == 0:
        work()
        os._exit(5)
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    _, status = os.waitpid(pid, 0)
    return plain(start_response, "%d %d" % (status >> 8, process.exitcode))


def do_fork_late(environ, start_response):
    """Forks when all has been answered."""
    start_response(OK, [("Content-Length", "1")])

    def body():
        yield b"x"
        time.sleep(0.05)
        pid = os.fork()
        if pid:
            note("status %d" % (os.waitpid(pid, 0)[1] >> 8))

    return body()


def do_fork_greenlet(environ, start_response):
    """A greenlet of its own forks, and forgets to end the process."""
    import atexit

    import gevent

    def work():
        pid = os.fork()
        if pid:
            note("status %d" % (os.waitpid(pid, 0)[1] >> 8))

    atexit.register(note, "atexit")
    gevent.spawn(work)
    return plain(start_response)


def do_slow_write(environ, start_response):
    write = start_response(OK, TEXT)
    for _ in range(5):
        time.sleep(0.05)
        write(b"x")
    return []


def do_multiprocessing(environ, start_response):
    import multiprocessing

    codes = []
    for method in multiprocessing.get_all_start_methods():
        process = multiprocessing.get_context(method).Process(target=os.getpid)
        process.start()
        process.join()
        codes.append(process.exitcode)
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join()
    return plain(start_response, repr(codes + [process.exitcode]))


def do_terminate(environ, start_response):
    import subprocess

    process = subprocess.Popen(["sleep", "60"])
    process.terminate()
    return plain(start_response, str(process.wait()))


def do_descriptors(environ, start_response):
    import subprocess

    text = subprocess.run(["sh", "-c", "ls /proc/self/fd; trap"], stdout=subprocess.PIPE, close_fds=False).stdout
    return plain(start_response, text.decode())


def do_thread(environ, start_response):
    """Leaves behind a thread that goes on for a while, one that never ends, but is a daemon, an executor, and functions for the end."""
    import atexit
    from concurrent.futures import ThreadPoolExecutor

    def work():
        time.sleep(0.3)
        note("thread")

    def farewell():
        time.sleep(0.2)
        note("atexit")
        raise ValueError("atexit has failed")

    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    threading.Thread(target=work, daemon=False).start()  # a greenlet's are daemons otherwise
    do_thread.executor = ThreadPoolExecutor(2)
    do_thread.executor.submit(int).result()
    atexit.register(note, "last")
    atexit.register(farewell)
    return plain(start_response)


def do_die(environ, start_response):
    os._exit(7)


def do_timeout(environ, start_response):
    """Starts a Timeout, and forgets it."""
    import gevent

    gevent.Timeout(0.05).start()
    return plain(start_response)


def do_gevent(environ, start_response):
    import socket

    import gevent

    return plain(start_response, "%s %s" % (socket.socket.__module__, type(gevent.getcurrent()).__name__))


def validated_application(environ, start_response):
    data = environ["wsgi.input"].read(1000)
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    start_response(OK, [("Content-Type", "text/plain")])
    return Body(b"validated ", data)


validated = validator(validated_application)


class Nested:
    class inner:
        app = staticmethod(application)


def factory(*args, **keywords):
    def app(environ, start_response):
        return plain(start_response, repr((args, keywords)))

    return app


def bad_factory():
    raise ValueError("the factory's reason")


async def asynchronous(scope, receive, send):
    pass


class Asgi:
    async def __call__(self, scope, receive, send):
        pass


class InheritsAsgi(Asgi):
    pass


class Asgi2:
    """ASGI before version 3: an instance for each request."""

    def __init__(self, scope):
        pass

    async def __call__(self, receive, send):
        pass


def asgi2(scope):
    return Asgi2(scope)


def synchronous(scope, receive, send):
    """What middleware of ASGI may be."""
    return asynchronous(scope, receive, send)


def factory_with_options(config=None):
    return application


asgi = Asgi()
inherits_asgi = InheritsAsgi()
partial_asgi = functools.partial(asynchronous)
decorated = functools.wraps(factory_with_options)(lambda environ, start_response: do_hello(environ, start_response))


async def do_awaited(environ, start_response):
    start_response(OK, [])
number = 5
