"""The supervisor, as the tests of worker.py play it: each starts the worker as a process, over a real socket pair.

WORKER_PYTHON names the Python that the worker runs under; without it, it is that of the tests.
"""

import array
import fcntl
import marshal
import os
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

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
        self.uploads = {}  # number -> [content left, wanted, place of the next BODY]
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
        return untagged(self.raw_stderr())

    def raw_stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8")

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
        self.uploads[number] = [content, 0, 0]
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
                    self.send(frame(BODY, number, piece, 0 if upload[0] else END, upload[2]))
                    upload[2] += 1
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
