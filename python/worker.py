"""The worker of weir: serves one WSGI application to the supervisor at the other end of descriptor 3.

protocol.md says what is spoken there. One file, the standard library, Python 3.8 and later. In the order in which a request meets them:

    Worker        reads packets, calls the application, sends packets; serve() is the path that a plain request takes
    Exchange      a request and its response: start_response, write, what else the environ offers
    Content       wsgi.input of a request whose content was not with it
    Outbox        frames that have not left yet
    Threads       who reads, and who waits, in the classes sync and threads; Greenlets: in the class gevent
    Ticker        the thread that looks whether a call takes long
    Application   importing it
    Template      forking workers, after the application was imported (--preload)

All classes share one idea. Whoever has the *role* reads a packet and calls the application itself, without waking anybody. During
the call the role lies in Worker.slot, a list of at most one element: whoever pops it has the role. Mostly that is the one who
put it there, when the call returns; when the call takes long, it is a thread (or a greenlet) that has nothing to do, and reads on.
"""

import sys

if sys.version_info < (3, 8):
    sys.stderr.write("weir needs Python 3.8 or later, %s is %s: choose another with --python\n" % (sys.executable, sys.version.split()[0]))
    sys.exit(1)

import array
import ast
import errno
import faulthandler
import fcntl
import gc
import importlib
import inspect
import io
import marshal
import mmap
import os
import re
import select
import signal
import socket
import stat
import struct
import traceback
from _thread import RLock, allocate_lock, get_ident, start_new_thread  # the real ones, whatever gevent patches later
from collections import deque
from os import fork as real_fork, waitpid as real_waitpid
from socket import socket as RealSocket
from time import monotonic, sleep

CONFIG, REQUEST, BODY, CREDIT, GONE, STOP, RESULT, KEYS, FORK = 1, 2, 3, 4, 5, 6, 7, 8, 9
READY, FAILED, HEAD, DATA, ABORT, WANT, FILE, HINTS, HOLD, PUBLISH, BEGUN, STATE, RETURNED = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
FORKED = 29
END, FAIL = 1, 2

FRAME = struct.Struct("<IBBHI")  # length, type, flags, keys or place, number
REQUEST_FRAME = struct.Struct("<IBBHII")  # and the length of the environ
U32 = struct.Struct("<I")
RANGE = struct.Struct("<QQ")

PACKET = 128 << 10
PIECE = 64 << 10  # of content in one frame, at most
WINDOW = 256 << 10  # of request content that was asked for and not been read
FLUSH_AT = 8  # so many frames leave before another packet is read
VANISHED = 8192  # clients that have left are remembered, although their requests may have ended
LINE = 16 << 10  # characters of a line that wait for its end; the supervisor breaks it there


def frame(kind, number, payload=b"", flags=0):
    return FRAME.pack(len(payload), kind, flags, 0, number) + payload


class Disconnected(ConnectionError):
    """What write() and wsgi.input raise when the client has left."""


# --- a request and its response -----------------------------------------------------------------------------------------------

PENDING, STARTED, SENT = 0, 1, 2  # Exchange.state: start_response was not called; was; its head has left


class Exchange:
    """A request that the application was called for, and its response. It is environ['weir.hub'], too."""

    worker = None  # the one of the process; set once
    number = 0
    call = None
    method = ""
    path = ""
    state = PENDING
    head = None  # (marshalled, declared length, whether content is allowed)
    fault = None  # what was wrong with start_response's arguments
    done = False  # the last frame for the request was queued
    gone = False  # the client has left
    begun = False  # the call takes long; the ticker's
    content = None
    holding = None
    sent = 0  # octets of content
    credit = 0
    flushed = polled = 0.0
    # Of whoever waits (worker.mutex):
    news = False
    role = False
    lock = None
    result = None

    # start_response and write

    def start_response(self, status, headers, exc_info=None):
        """PEP 3333's start_response."""
        if exc_info is None and self.state == PENDING and type(headers) is list:
            try:
                head = HEADS.get((status, *headers))
            except TypeError:  # something in it is no tuple; check_head says what
                head = None
            if head is not None:
                self.head = head
                self.state = STARTED
                return self.write
        return self.start(status, headers, exc_info)

    def start(self, status, headers, exc_info):
        try:
            if exc_info:
                if self.state == SENT:
                    raise exc_info[1].with_traceback(exc_info[2])
            elif self.state != PENDING:
                self.head = None
                self.fault = AssertionError("start_response was called a second time without exc_info")
                raise self.fault
        finally:
            exc_info = None
        self.state, self.head, self.fault = STARTED, None, None
        try:
            self.head = check_head(status, headers)
        except Exception as e:
            self.fault = e
            raise
        return self.write

    def write(self, block):
        """The write that start_response returns."""
        if type(block) is not bytes and not isinstance(block, bytes):
            raise TypeError("write() takes bytes, not " + type(block).__name__)
        if self.done:
            if block and self.method != "HEAD":
                log("weir: write() was called after the response had ended")
            return
        self.need_head()
        if self.holding:
            raise RuntimeError("write() cannot be used for a request that is held")
        if self.state == STARTED or block:
            self.emit(block)

    def need_head(self):
        if self.fault is not None:
            raise self.fault
        if self.state == PENDING:
            raise RuntimeError("the application has not called start_response")

    # content of the response

    def emit(self, block, end=False):
        """Queues content, with the head before the first, as credit allows."""
        worker = self.worker
        if self.gone:
            raise Disconnected("the client has left")
        if self.state == STARTED:
            self.credit = worker.credit
            worker.streams[self.number] = self
        declared = self.head[1]
        if declared is not None and self.sent + len(block) > declared:
            block = block[: max(0, declared - self.sent)]
            log("weir: the application gave more content than its Content-Length, which is %d: cut" % declared)
        size = len(block)
        self.sent += size
        whole = end or (declared is not None and self.sent >= declared)
        if self.method == "HEAD" or not self.head[2]:
            # The head tells nothing of the content's length, which the END that follows has none of.
            if self.state == STARTED:
                worker.queue(frame(HEAD, self.number, self.head[0]))
                self.state = SENT
            self.end()
            return
        if end:
            self.beware_of_less()
        at = 0
        while True:
            while self.credit <= 0 and at < size:
                worker.flush()
                worker.wait(self)
                if self.gone:
                    raise Disconnected("the client has left")
            room = PIECE
            if self.state == STARTED:
                room = min(room, PACKET - 4096 - len(self.head[0]))
            piece = block if not at and size <= room and size <= self.credit else block[at : at + min(room, max(self.credit, 0))]
            at += len(piece)
            self.credit -= len(piece)
            flags = END if whole and at >= size else 0
            if flags:
                self.close_stream()
            if self.state == STARTED:
                self.state = SENT
                head = self.head[0]
                worker.queue(FRAME.pack(len(head) + len(piece), HEAD, flags, 0, self.number) + head + piece)
            else:
                worker.queue(FRAME.pack(len(piece), DATA, flags, 0, self.number) + piece)
            if at >= size:
                break
        if not flags:
            now = monotonic()
            if now - self.flushed > Ticker.ACTIVE or not worker.ticker.active or worker.slot[-1:] != [self]:
                self.flushed = now
                worker.flush()  # else the ticker does it, unless a block that follows does: blocks come one upon another
            self.look(now)

    def look(self, now):
        """Looks whether the client has left, every 20 ms at most."""
        if now - self.polled > 0.02:
            self.polled = now
            self.worker.poll(self)

    def end(self):
        """Ends the response after what was queued."""
        if not self.done:
            self.beware_of_less()
            self.close_stream()
            self.worker.queue(frame(DATA, self.number, b"", END))

    def beware_of_less(self):
        """Says so when the content, all of which was given, is shorter than declared. The supervisor cuts the response off."""
        declared = self.head[1]
        if declared is not None and self.sent < declared and self.head[2] and self.method != "HEAD":
            log("weir: the application gave less content than its Content-Length, which is %d: %d; the response is cut off" % (declared, self.sent))

    def close_stream(self):
        self.done = True
        self.worker.streams.pop(self.number, None)
        if self.content is not None:
            with self.worker.mutex:  # another thread of the application may wait for more, which does not come
                self.worker.engine.wake(self.content.waiter)

    def answer(self, result):
        """Sends what the application has returned, if it is not the usual list of one block; closes it, once."""
        try:
            kind = type(result)
            if self.holding is not None:
                self.hold_with(b"".join(map(check_block, result or ())))
            elif (kind is list or kind is tuple) and not self.done:
                for block in result:
                    check_block(block)
                self.need_head()
                whole = b"" if not self.head[2] else result[0] if len(result) == 1 else b"".join(result)
                if self.state == STARTED and (self.head[1] is None or self.head[1] == len(whole)):
                    if len(whole) + len(self.head[0]) <= PIECE:
                        self.complete(whole)
                        return
                    if self.head[1] is None and self.head[2]:
                        self.head = with_length(self.head, len(whole))
                self.emit(whole, True)
            elif kind is FileWrapper and self.send_file(result):
                pass
            else:
                if hasattr(result, "__await__"):
                    raise TypeError("the application has returned something to be awaited, and no content: " + ASGI)
                try:
                    blocks = iter(result)
                except TypeError:
                    if callable(result) and not hasattr(result, "__iter__"):
                        raise TypeError(MAKES % type(result).__name__) from None
                    raise
                held = []
                for block in blocks:
                    if self.holding is not None:
                        held.append(check_block(block))
                    elif check_block(block):
                        self.need_head()
                        if self.done:
                            if self.method != "HEAD":
                                log("weir: the application gave more content than its Content-Length: cut")
                            break
                        self.emit(block)
                        if self.done and (self.method == "HEAD" or not self.head[2]):
                            break
                        self.beware()
                    elif not self.done:
                        self.look(monotonic())
                        self.beware()
                if not self.done:
                    if self.holding is not None:
                        self.hold_with(b"".join(held))
                        return
                    self.need_head()
                    if self.state == STARTED:
                        self.beware_of_less()
                        self.complete(b"")
                    else:
                        self.end()
        finally:
            if hasattr(result, "close"):
                result.close()

    def beware(self):
        if self.gone and not self.done:
            raise Disconnected("the client has left")

    def complete(self, content):
        """The whole response in one frame, whose length tells the supervisor Content-Length."""
        head = self.head[0]
        self.state = SENT
        self.close_stream()
        self.worker.queue(FRAME.pack(len(head) + len(content), HEAD, END, 0, self.number) + head + content)

    def send_file(self, wrapper):
        """Has the supervisor send a real file. False: it is none, iterate."""
        range_ = plain_file(wrapper.filelike)
        if range_ is None:
            return False
        self.need_head()
        if self.method == "HEAD" or not self.head[2]:
            self.emit(b"")
            return True
        fd, offset, count = range_
        declared = self.head[1]
        if declared is not None:
            count = min(count, max(0, declared - self.sent))
        elif self.state == STARTED:
            self.head = with_length(self.head, count)
        if self.state == STARTED:
            self.state = SENT
            self.worker.queue(frame(HEAD, self.number, self.head[0]))
        self.sent += count
        self.beware_of_less()
        self.close_stream()
        self.worker.outbox.send_file(frame(FILE, self.number, RANGE.pack(offset, count), END), fd)
        return True

    def abort(self, e):
        """Ends a request whose call has failed."""
        if self.done:
            log(format_error(e))
            return
        self.close_stream()
        if self.gone:
            if not isinstance(e, Disconnected):
                log(format_error(e))
            self.worker.queue(frame(DATA, self.number, b"", END))
        else:
            self.worker.queue(frame(ABORT, self.number, tag(self) + format_error(e).encode("utf-8", "backslashreplace")[-PIECE:]))

    # what environ offers

    def disconnected(self):
        """environ['weir.disconnected']: whether the client has left."""
        if not self.gone and not self.done:
            self.worker.poll(self)
        return self.gone

    def early_hints(self, headers):
        """environ['wsgi.early_hints']: sends a 103 with these fields."""
        if self.state == SENT or self.done or self.gone:
            return
        fields = [check_field(name, value) and (name, value) for name, value in headers]
        octets = marshal.dumps(fields, 2)
        if len(octets) > PIECE:
            raise ValueError("the early hints are too long: %d octets" % len(octets))
        self.worker.queue(frame(HINTS, self.number, octets))
        self.worker.flush()

    def publish(self, topic, data):
        """environ['weir.hub'].publish: adds a message to a topic; returns its id, and how many were waiting for it."""
        name = topic.encode()
        if isinstance(data, str):
            data = data.encode()
        if len(name) + len(data) + 64 > PACKET:
            raise ValueError("the message is too long")
        return self.worker.publish(U32.pack(len(name)) + name + bytes(data))

    def hold(self, topics, timeout=None, since=None, stream=False, format=None, wildcards=False):
        """environ['weir.hub'].hold: once the application has returned, the request waits for a message of these topics.

        The application's response is what the client gets when there is none within timeout; with stream, its head and content are sent at
        once, and each message after them. Returns an empty body, which an application may return without calling start_response.
        """
        if self.done or self.state == SENT:
            raise RuntimeError("hold() was called after the response had begun")
        self.holding = check_hold(topics, timeout, since, bool(stream), format, bool(wildcards))
        return []

    def hold_with(self, content):
        """Hands the request over, with the application's response, unless that is an error: then it is the answer."""
        if content or self.state != PENDING:
            self.need_head()
        head = self.head[0] if self.head else U32.pack(0)
        if self.head:
            status, headers = marshal.loads(head[4:])
            if status >= "400":
                self.holding = None
                self.answer([content])
                return
            for name, value in headers:
                if name.lower() == "content-encoding" and value.lower() != "identity":
                    raise RuntimeError("hold(): the response was encoded by middleware, a message would not be")
        options = marshal.dumps(self.holding, 2)
        if len(options) + len(head) + len(content) > PACKET - 4096:
            raise ValueError("the response of a held request is too long")
        self.close_stream()
        self.worker.queue(frame(HOLD, self.number, U32.pack(len(options)) + options + head + content))


def check_hold(topics, timeout, since, stream, format, wildcards):
    """Checks the arguments of hold(); returns what HOLD has of them."""
    topics = [topics] if isinstance(topics, str) else list(topics)
    if not topics:
        raise ValueError("hold() takes the name of a topic, or several")
    for topic in topics:
        if type(topic) is not str:
            raise TypeError("hold(): the name of a topic must be a str, not " + type(topic).__name__)
        if not topic or NOT_TOPIC.search(topic):
            raise ValueError("hold(): the name of a topic must be text without control characters, and not empty: %r" % topic)
    if timeout is not None:
        timeout = float(timeout)
        if not 0 <= timeout < float("inf"):
            raise ValueError("hold(): timeout must be a number of seconds, 0 or more: %r" % timeout)
        if stream:
            raise ValueError("hold(): a stream has no timeout, it lasts until the client leaves")
    if since is not None:
        if not isinstance(since, (int, str)):
            raise TypeError("hold(): since must be the id of a message, an int or a str, not " + type(since).__name__)
        if not SINCE.match(str(since)) or int(since) >= 1 << 64:
            raise ValueError("hold(): since must be the id of a message, or 0: %r" % since)
        since = str(int(since))
    formats = ("events", "data") if stream else ("json", "data")
    if format is not None and format not in formats:
        raise ValueError("hold(): format must be %r or %r %s stream: %r" % (*formats, "with" if stream else "without", format))
    return dict(topics=topics, timeout=timeout, since=since, stream=stream, format=format, wildcards=wildcards)


NOT_TOPIC = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
SINCE = re.compile(r"[0-9]{1,20}\Z")


def check_block(block):
    if type(block) is bytes or isinstance(block, bytes):
        return block
    if type(block) is int:
        raise TypeError("the application must return an iterable of bytes, not one bytes object: [content] instead of content")
    raise TypeError("the application must yield bytes, not " + type(block).__name__)


# --- heads --------------------------------------------------------------------------------------------------------------------

HEADS = {}  # (status, *headers) -> what check_head returned for them
MANY_HEADS = 1024

STATUS = re.compile(r"[1-9][0-9][0-9] [\t\x20-\x7e\x80-\xff]*\Z")
TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+\Z")
NOT_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
DIGITS = re.compile(r"[0-9]{1,18}\Z")
HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "trailers", "transfer-encoding", "upgrade"]
)
NAMES = {}  # names of fields that were found good -> in lower case


def check_field(name, value):
    """Checks a field of a response; returns its name in lower case."""
    if type(name) is not str or type(value) is not str:
        raise TypeError("names and values of headers must be str: %r" % ((name, value),))
    lower = NAMES.get(name)
    if lower is None:
        if not TOKEN.match(name):
            raise ValueError("header name is not a token: %r" % name)
        lower = name.lower()
        if lower in HOP_BY_HOP:
            raise AssertionError("header is hop-by-hop, which is the server's: %r" % name)
        if len(NAMES) < MANY_HEADS:
            NAMES[name] = lower
    if not (value.isprintable() and value.isascii()) and NOT_VALUE.search(value):
        raise ValueError("header value has a control character, or one that is not Latin-1: %s: %r" % (name, value))
    return lower


def check_head(status, headers):
    """Checks the arguments of start_response; returns what Exchange.head is."""
    if type(status) is not str:
        raise TypeError("status must be a str, not " + type(status).__name__)
    if not STATUS.match(status):
        raise ValueError("status must be three digits, a space and a reason phrase without control characters: %r" % status)
    if status < "200":
        raise ValueError("status is an interim one, which cannot be the answer: %r" % status)
    if type(headers) is not list:
        raise TypeError("headers must be a list, not " + type(headers).__name__)
    length = None
    for field in headers:
        if type(field) is not tuple or len(field) != 2:
            raise TypeError("headers must be a list of tuples (name, value): %r" % (field,))
        if check_field(*field) == "content-length":
            if length is not None:
                raise ValueError("Content-Length is declared twice")
            if not DIGITS.match(field[1]):
                raise ValueError("Content-Length is not a number of octets: %r" % field[1])
            length = int(field[1])
    head = marshal.dumps((status, headers), 2)
    if len(head) > PACKET // 2:
        raise ValueError("the headers are too long: %d octets" % len(head))
    checked = (U32.pack(len(head)) + head, length, not status.startswith(("204", "304")))
    if len(head) <= 2048:
        if len(HEADS) >= MANY_HEADS:
            HEADS.clear()
        HEADS[(status, *headers)] = checked
    return checked


def with_length(head, count):
    """head, with a Content-Length."""
    status, headers = marshal.loads(head[0][4:])
    headers.append(("Content-Length", str(count)))
    octets = marshal.dumps((status, headers), 2)
    return U32.pack(len(octets)) + octets, count, head[2]


# --- files --------------------------------------------------------------------------------------------------------------------


class FileWrapper:
    """wsgi.file_wrapper. Returned by the application over a real file, it is not iterated."""

    def __init__(self, filelike, block_size=8192):
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self):
        return self

    def __next__(self):
        block = self.filelike.read(self.block_size)
        if block:
            return block
        raise StopIteration


def plain_file(filelike):
    """(descriptor, offset, octets left) of a regular file opened in binary; None for all that only looks like one, such as a GzipFile."""
    if type(filelike).__module__ == "tempfile":
        filelike = getattr(filelike, "file", filelike)
    raw = filelike.raw if type(filelike) in (io.BufferedReader, io.BufferedRandom) else filelike
    if type(raw) is not io.FileIO:
        return None
    try:
        if raw is not filelike and filelike.writable():
            filelike.flush()
        fd = raw.fileno()
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or not info.st_size or not raw.readable():  # those in /proc are 0 octets long
            return None
        offset = filelike.tell()
        return fd, offset, max(0, info.st_size - offset)
    except (OSError, ValueError):
        return None


# --- wsgi.input and wsgi.errors -----------------------------------------------------------------------------------------------


class NoContent:
    """wsgi.input of all requests without content. It has no state, so one is enough."""

    __slots__ = ()
    closed = False

    def read(self, size=-1):
        return b""

    read1 = readline = read

    def readinto(self, buffer):
        return 0

    readinto1 = readinto

    def readlines(self, hint=-1):
        return []

    def __iter__(self):
        return iter(())

    def readable(self):
        return True

    def seekable(self):
        return False

    def writable(self):
        return False

    def isatty(self):
        return False

    def flush(self):
        pass

    def close(self):
        pass


NO_CONTENT = NoContent()


class Content:
    """wsgi.input of a request whose content was not with it: asks for it when it is read."""

    closed = False

    def __init__(self, exchange, data):
        self.exchange = exchange
        self.waiter = Waiter()  # not the Exchange: one thread may read while another one writes, and waits for credit
        self.waiter.call = exchange
        self.chunks = deque([data] if data else ())  # the reader's append, the application's popleft
        self.length = len(data)  # of chunks; guarded by worker.mutex
        self.at = 0  # in the first
        self.asked = 0  # octets that were asked for and have not come; likewise
        self.next = 0  # the place of the BODY that is to come
        self.early = {}  # place -> payload and flags of those that have come before it
        self.ended = False
        self.failure = None

    def arrived(self, place, data, flags):
        """Takes a BODY. It waits for those in front of it, which the supervisor may have taken back meanwhile. worker.mutex is held."""
        self.early[place] = bytes(data), flags
        while self.next in self.early:
            data, flags = self.early.pop(self.next)
            self.next = self.next + 1 & 0xFFFF
            if flags & FAIL:
                self.failure = data.decode("utf-8", "replace") or "the content has ended too early"
                self.ended = True
            elif data:
                self.chunks.append(data)
                self.length += len(data)
                self.asked = max(0, self.asked - len(data))
            if flags & END:
                self.ended = True

    def fill(self):
        """Waits until there are chunks; False: there are no more."""
        x = self.exchange
        worker = x.worker
        while True:
            if x.done:  # what has come can be read, and its end
                if self.chunks or self.ended and self.failure is None:
                    return bool(self.chunks)
                raise ValueError("wsgi.input was read after the response had ended")
            if x.gone:
                raise Disconnected("the client has left")
            with worker.mutex:
                ended = self.ended
                want = 0
                if not ended and self.asked + self.length <= WINDOW // 2:
                    want = WINDOW - self.asked - self.length
                    self.asked += want
            if want:
                worker.streams[x.number] = x
                worker.queue(frame(WANT, x.number, U32.pack(want)))
                worker.flush()
            if self.chunks:
                return True
            if ended:
                if self.failure is not None:
                    raise OSError(errno.EPIPE, self.failure)
                return False
            worker.wait(self.waiter)

    def take(self, size):
        """At most size octets of what is there."""
        chunk = self.chunks[0]
        rest = len(chunk) - self.at
        if size >= rest:
            self.chunks.popleft()
            data = chunk[self.at :] if self.at else chunk
            self.at = 0
        else:
            data = chunk[self.at : self.at + size]
            self.at += size
        with self.exchange.worker.mutex:
            self.length -= len(data)
        return data

    def read(self, size=-1):
        if size is None or size < 0:
            size = sys.maxsize
        parts = []
        while size > 0 and self.fill():
            data = self.take(size)
            size -= len(data)
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size=-1):
        if size is None or size < 0:
            size = PIECE
        return self.take(size) if size and self.fill() else b""

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readinto1(self, buffer):
        view = memoryview(buffer).cast("B")
        data = self.read1(len(view))
        view[: len(data)] = data
        return len(data)

    def readline(self, size=-1):
        if size is None or size < 0:
            size = sys.maxsize
        parts = []
        while size > 0 and self.fill():
            at = self.chunks[0].find(b"\n", self.at)
            data = self.take(min(size, at + 1 - self.at if at >= 0 else size))
            size -= len(data)
            parts.append(data)
            if data.endswith(b"\n"):
                break
        return b"".join(parts)

    def readlines(self, hint=-1):
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self):
        return self

    def __next__(self):
        line = self.readline()
        if line:
            return line
        raise StopIteration

    readable = NoContent.readable
    seekable = NoContent.seekable
    writable = NoContent.writable
    isatty = NoContent.isatty
    flush = NoContent.flush

    def close(self):
        pass


CALLS = {}  # who is in a call -> its Exchange
caller = get_ident  # who that is: a thread; in the class gevent a greenlet
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def tag(x):
    """What the supervisor takes off the front of a line, and off that of a traceback: which request it is about."""
    path = CONTROL.sub(b"?", x.path.encode("latin-1", "replace")[:256])
    return b"\x1e%d %s %s\x1f" % (x.number, x.method.encode("latin-1", "replace"), path)


class Lines:
    """Text for a descriptor. It leaves in whole lines, whoever else writes there, and each tells which call has written it."""

    def __init__(self, fd):
        self.fd = fd
        self.renew()

    def renew(self):
        self.lock = RLock()  # a finalizer, or what handles a signal, may write in the middle of a write
        self.begun = {}  # who -> the Exchange of their call, if it is one, and what they have written in it of a line that has not ended

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("only str can be written here, not " + type(text).__name__)
        me = caller()
        x = CALLS.get(me)
        whole = text
        if self.begun:
            of, rest = self.begun.pop(me, (x, ""))
            if of is x:
                whole = rest + text
            else:
                self.send(of, rest + "\n")
        end = whole.rfind("\n") + 1
        if len(whole) - end >= LINE:
            whole += "\n"
            end = len(whole)
        if end < len(whole):
            self.begun[me] = x, whole[end:]
        if end:
            self.send(x, whole[:end])
        return len(text)

    def flush(self):
        """Ends the line that the caller has begun."""
        if self.begun:
            self.end(caller())

    def flush_all(self):
        for me in list(self.begun):
            self.end(me)

    def flush_ended(self):
        """Ends the lines of calls that have ended."""
        for me, (x, _) in self.begun.copy().items():
            if CALLS.get(me) is not x:
                self.end(me)

    def end(self, me):
        x, rest = self.begun.pop(me, (None, ""))
        if rest:
            self.send(x, rest + "\n")

    def send(self, x, text):
        data = text.encode("utf-8", "backslashreplace")
        if x is not None:
            front = tag(x)
            data = front + data[:-1].replace(b"\n", b"\n" + front) + b"\n"
        elif b"\x1e" in data:  # which is no tag
            data = b"\x1e\x1f" + data[:-1].replace(b"\n", b"\n\x1e\x1f") + b"\n"
        try:
            with self.lock:
                while data:
                    data = data[os.write(self.fd, data) :]
        except OSError:
            pass


STDOUT, STDERR = Lines(1), Lines(2)


class Stream(io.TextIOWrapper):
    """sys.stdout or sys.stderr."""

    mode = "w"

    def __init__(self, stream, lines):
        super().__init__(stream.detach(), encoding="utf-8", errors="backslashreplace", write_through=True)
        self.lines = lines

    def write(self, text):
        return self.lines.write(text)

    def writelines(self, lines):
        self.lines.write("".join(lines))

    def flush(self):
        self.lines.flush()
        super().flush()


class Errors:
    """wsgi.errors. It takes any str, and does not raise because of what became of the log."""

    encoding = "utf-8"
    closed = False

    def write(self, text):
        return STDERR.write(text)

    def writelines(self, lines):
        STDERR.write("".join(lines))

    def flush(self):
        STDERR.flush()

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return 2

    def close(self):
        pass


ERRORS = Errors()


HERE = Errors.write.__code__.co_filename


def vital(run):
    """Ends the process when run fails: without the role, or the ticker, it would just stand there."""

    def guarded(*args):
        try:
            return run(*args)
        except BaseException as e:
            log("weir: the worker has failed\n" + "".join(traceback.format_exception(type(e), e, e.__traceback__)))
            leave()

    return guarded


def log(text):
    ERRORS.write(text if text.endswith("\n") else text + "\n")


def format_error(e):
    """The traceback of e, from where the application was called."""
    try:
        at = e.__traceback__
        while at is not None and at.tb_frame.f_code.co_filename == HERE:
            at = at.tb_next
        return "".join(traceback.format_exception(type(e), e, at))
    except BaseException as again:  # no memory, or an exception that cannot be printed
        return "%s (which could not be printed: %s)\n" % (type(e).__name__, type(again).__name__)


# --- frames that leave --------------------------------------------------------------------------------------------------------


class Outbox:
    """Frames that have not left yet. Any thread appends to frames, whoever has the lock takes from its front and sends."""

    def __init__(self, sock):
        self.sock = sock
        self.frames = []
        self.lock = allocate_lock()
        self.flushes = 0
        room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        if room < 2 * PACKET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PACKET)
            room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        if room < PACKET + 1024:
            raise OSError(errno.EMSGSIZE, "the socket's buffer is too small for packets of 128 KiB: raise net.core.wmem_max")

    def flush(self):
        while self.frames:
            if not self.lock.acquire(False):
                return  # the one who has it looks again
            try:
                self.drain()
            finally:
                self.lock.release()

    def drain(self):
        frames = self.frames
        n = len(frames)
        self.flushes += 1
        if n == 1:
            packet = frames[0]
            del frames[0]
            self.send(packet)
            return
        taken = frames[:n]
        del frames[:n]
        packet = b"".join(taken)
        if len(packet) <= PACKET:
            self.send(packet)
            return
        size, first = 0, 0
        for i, item in enumerate(taken):
            if size + len(item) > PACKET:
                self.send(b"".join(taken[first:i]))
                size, first = 0, i
            size += len(item)
        self.send(b"".join(taken[first:]))

    def send(self, packet):
        while packet:
            try:
                self.sock.send(packet)
                return
            except OSError as e:
                if not self.refused(e):
                    return

    def refused(self, e):
        """Waits until the socket takes packets again, and returns True. When it never will, nobody hears what is sent."""
        if e.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM):
            if e.errno in (errno.ENOBUFS, errno.ENOMEM):
                sleep(0.001)
            poller = POLL()
            poller.register(self.sock.fileno(), select.POLLOUT)
            poller.poll(1000)
            return True
        cut_off()
        return False

    def send_file(self, packet, fd):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        with self.lock:
            if self.frames:
                self.drain()
            while True:
                try:
                    self.sock.sendmsg([packet], rights)
                    break
                except OSError as e:
                    if not self.refused(e):
                        break
        self.flush()


POLL = getattr(select, "poll", None)


def leave(code=1):
    """Ends the process at once: nobody would hear what it has to say."""
    flush_all()
    os._exit(code)


def flush_all():
    """Sends what was printed. In the place of sys.stdout and sys.stderr there may be anything."""
    for flush in (lambda: sys.stdout.flush(), lambda: sys.stderr.flush(), STDOUT.flush_all, STDERR.flush_all):
        try:
            flush()
        except BaseException:
            pass


def cut_off():
    """Of whoever finds that there is no connection: ends the process. In one that was forked it does so to the one who has forked it alone.

    That is all there is in the classes sync and threads. gevent has copied the greenlets of other calls, too, which come to their ends there.
    """
    if Exchange.worker.forker in (None, caller()):
        leave()


# --- the worker ---------------------------------------------------------------------------------------------------------------


class Worker:
    """What the threads or greenlets of the process share."""

    def __init__(self, sock):
        self.sock = sock
        self.outbox = Outbox(sock)
        self.queue_frame = self.outbox.frames.append
        self.flush = self.outbox.flush
        self.buffer = bytearray(PACKET + 1)
        self.view = memoryview(self.buffer)
        self.slot = []  # the role, while the one who has it is in a call: its Exchange
        self.backlog = deque()  # requests that were read by one who could not begin them
        self.streams = {}  # number -> Exchange that frames may come for
        self.vanished = set()  # numbers of GONE, for which there was no such: their calls may look here later on
        self.vanished_most = VANISHED  # when those are forgotten that nobody will look for
        self.results = {}  # number of a PUBLISH -> who waits for it
        self.shapes = {}  # number of a KEYS -> function that makes an environ
        self.mutex = allocate_lock()
        self.stopping = False
        self.answered = 0
        self.published = 0
        self.marks = None  # the supervisor looks there when the process has died: which requests was the application called for?
        self.ticker = None
        self.state_due = 0.0  # about once a second
        self.engine = None
        self.forker = None  # who has forked this process, if the application has

    def configure(self, config):
        self.credit = config.get("credit", 256 << 10)
        self.delay = config.get("flush", 0.001)
        self.gives_back = bool(config.get("returns"))
        self.extensions = bool(config.get("extensions"))
        self.kind = config.get("class", "sync")
        self.marks = [0] * 1024
        fd = config.get("marks")
        self.shares_marks = fd is not None
        if self.shares_marks:
            self.marks = memoryview(mmap.mmap(fd, 4096)).cast("I")
            os.close(fd)
        self.base = {
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "wsgi.url_scheme": "http",
            **config.get("environ", {}),
            "wsgi.version": (1, 0),
            "wsgi.multithread": self.kind != "sync",
            "wsgi.multiprocess": bool(config.get("multiprocess", True)),
            "wsgi.run_once": False,
            "wsgi.input": NO_CONTENT,
            "wsgi.input_terminated": True,
            "wsgi.errors": ERRORS,
            "wsgi.file_wrapper": FileWrapper,
        }

    # frames that come

    def receive(self):
        """Waits for a packet; its length, 0 at the end of the connection. Of the one who has the role."""
        while True:
            try:
                return self.sock.recv_into(self.view)
            except BlockingIOError:  # the supervisor's duplicate shares the flags of the descriptor
                self.readable()
            except ConnectionResetError:
                return 0
            except OSError as e:
                if e.errno != errno.EINTR:
                    leave()

    def readable(self, timeout=None):
        """Waits until there is a packet, or the end of the connection, for so many seconds at most."""
        poller = POLL()
        poller.register(self.sock.fileno(), select.POLLIN)
        return poller.poll(None if timeout is None else timeout * 1000)

    def read(self, n, waiting=False):
        """Acts on a packet of n octets. Requests go to the backlog; or back, when the reader is one who waits for something else."""
        if n == 0:
            leave()  # the supervisor is dead
        at = 0
        view = self.view
        while at < n:
            if n > PACKET or n - at < FRAME.size:
                return self.malformed(n)
            length, kind, flags, shape, number = FRAME.unpack_from(view, at)  # shape: in a BODY its place
            at += FRAME.size
            payload = view[at : at + length]
            at += length
            if at > n:
                return self.malformed(n)
            if kind == REQUEST:
                self.vanished.discard(number)
                if waiting and self.gives_back:
                    self.queue(frame(RETURNED, number))
                    continue
                size = U32.unpack_from(payload)[0]
                self.backlog.append((number, flags, shape, bytes(payload[4 : 4 + size]), bytes(payload[4 + size :])))
            elif kind == BODY:
                with self.mutex:
                    x = self.streams.get(number)
                    if x is not None and x.content is not None:
                        x.content.arrived(shape, payload, flags)
                        self.engine.wake(x.content.waiter)
            elif kind == CREDIT:
                with self.mutex:
                    x = self.streams.get(number)
                    if x is not None:
                        x.credit += U32.unpack_from(payload)[0]
                        self.engine.wake(x)
            elif kind == GONE:
                self.left(number)
            elif kind == RESULT:
                with self.mutex:
                    x = self.results.pop(number, None)
                    if x is not None:
                        x.result = (marshal.loads(payload),)
                        self.engine.wake(x)
            elif kind == KEYS:
                self.shapes[number] = self.shape(marshal.loads(payload))
            elif kind == STOP:
                self.stopping = True
            else:
                log("weir: the worker got a frame of type %d, which it does not know" % kind)

    def malformed(self, n):
        log("weir: the worker got a malformed packet of %d octets, and ends" % n)
        leave()

    def left(self, number):
        with self.mutex:
            x = self.streams.get(number)
            if x is not None:
                x.gone = True
                self.engine.wake(x)
                if x.content is not None:
                    self.engine.wake(x.content.waiter)
                return
        for item in list(self.backlog):  # others take from it
            if item[0] == number:
                try:
                    self.backlog.remove(item)
                except ValueError:
                    break
                self.queue(frame(DATA, number, b"", END))
                return
        self.vanished.add(number)
        if len(self.vanished) >= self.vanished_most:
            self.forget(number)

    def forget(self, last):
        """Forgets GONEs of requests that ended long ago. Of the latest ones the calls may not have begun; last is the latest."""
        running = {x.number for x in list(CALLS.values())}
        for number in list(self.vanished):
            if number not in running and (last - number) & 0xFFFFFFFF > VANISHED // 2:
                self.vanished.discard(number)
        self.vanished_most = len(self.vanished) + VANISHED

    def shape(self, keys):
        """Returns a function that makes the environ of a request with these keys out of its values.

        A copy of a dict that has all keys already, and one store a key that the compiler knows, is twice as fast as merging two dicts.
        """
        template = {**self.base, **dict.fromkeys(keys, "")}
        names = {"copy": template.copy}
        targets = "".join("environ[%r], " % key for key in keys)
        exec("def make(values):\n environ = copy()\n %s= values\n return environ\n" % (targets or "() "), names)
        return names["make"]

    # frames that leave

    def queue(self, octets):
        """Queues a frame. The ticker sends it at the latest."""
        self.queue_frame(octets)
        if len(octets) >= 16384 or len(self.outbox.frames) >= 64:
            self.flush()

    def publish(self, payload):
        if self.sock.fileno() < 0:
            raise RuntimeError("weir.hub cannot be used in a process that the application has forked")
        with self.mutex:
            self.published = self.published % 0xFFFFFFFF + 1
            number = self.published
            waiter = Waiter()
            self.results[number] = waiter
        self.queue(frame(PUBLISH, number, payload))
        self.flush()
        while waiter.result is None:
            self.wait(waiter)
        if waiter.result[0] is None:
            raise RuntimeError("the message was not published")
        return tuple(waiter.result[0])

    def wait(self, waiter):
        """Waits for news about an Exchange or a Waiter. Of each there is one who waits."""
        self.engine.wait(waiter)

    def poll(self, x):
        """Reads what is there, up to the next request, when nobody else does: is there a GONE for x?"""
        if x.number in self.vanished:
            x.gone = True
        elif self.engine.take_role(x):
            try:
                while not x.gone:
                    try:
                        first = self.sock.recv(FRAME.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                        if len(first) > 4 and first[4] == REQUEST:
                            break
                        self.read(self.sock.recv_into(self.view, 0, socket.MSG_DONTWAIT))
                    except BlockingIOError:
                        break
                    except OSError:
                        cut_off()
                        break
                    if x.number in self.vanished:
                        x.gone = True
            finally:
                self.slot.append(x)

    # requests

    def begin(self, item):
        """Makes the Exchange and the environ of a request of the backlog.

        KeyError: the supervisor has taken back the KEYS that were in front of it.
        """
        number, flags, shape, values, data = item
        environ = self.shapes[shape](marshal.loads(values)) if shape else {**self.base, **marshal.loads(values)}
        return self.enrich(number, environ, flags, data)

    def enrich(self, number, environ, flags, data):
        x = Exchange()
        x.number = number
        x.method = environ["REQUEST_METHOD"]
        x.path = environ["PATH_INFO"]
        if not flags & END:
            x.content = environ["wsgi.input"] = Content(x, data)
        elif data:
            environ["wsgi.input"] = io.BytesIO(data)
        environ["wsgi.early_hints"] = x.early_hints
        environ["weir.disconnected"] = x.disconnected
        if self.extensions:
            environ["weir.hub"] = x
        return x, environ

    def run(self, item):
        """Serves a request of the backlog, without the role."""
        try:
            x, environ = self.begin(item)
        except KeyError:
            self.queue(frame(RETURNED, item[0]))
            return
        self.marks[x.number & 1023] = x.number
        me = caller()
        CALLS[me] = x
        try:
            result = self.application(environ, x.start_response)
            x.answer(result)
        except BaseException as e:
            x.abort(e)
        CALLS.pop(me, None)
        self.answered += 1

    def serve(self):
        """Reads and serves requests. The caller has the role; returns True when it is still so, and there is nothing to be read."""
        application, base, shapes, extensions = self.application, self.base, self.shapes, self.extensions
        buffer, view, backlog, slot, vanished = self.buffer, self.view, self.backlog, self.slot, self.vanished
        recv_into, unpack, pack, loads = self.sock.recv_into, REQUEST_FRAME.unpack_from, FRAME.pack, marshal.loads
        flush, append, take, put, delay = self.flush, self.queue_frame, slot.pop, slot.append, self.delay
        environ_at, dontwait = REQUEST_FRAME.size, socket.MSG_DONTWAIT
        ticker, engine = self.ticker, self.engine
        blocks, streams, marks, frames = engine.blocks, self.streams, self.marks, self.outbox.frames
        calls, me = CALLS, caller()
        due = monotonic() + delay
        if due > self.state_due:
            self.state(due)
        while True:
            if backlog:
                try:
                    number, flags, shape, values, data = backlog.popleft()
                except IndexError:
                    continue
            else:
                if len(frames) >= FLUSH_AT:
                    flush()  # the supervisor makes something of these while there is more to do
                try:
                    n = recv_into(buffer, 0, dontwait)
                except BlockingIOError:
                    environ = x = result = block = data = None
                    calls.pop(me, None)
                    flush()
                    n = engine.idle()
                    if n is None:
                        return True
                    due = monotonic() + delay
                    if due > self.state_due:
                        self.state(due)
                except OSError:
                    cut_off()
                    return False
                if n >= environ_at:
                    length, kind, flags, shape, number, size = unpack(buffer)
                if n < environ_at or kind != 2 or length + 12 > n:
                    self.read(n)
                    if self.stopping and not backlog and engine.is_idle():
                        flush()
                        return True
                    continue
                end = length + 12
                while end < n:  # more requests
                    at = end
                    length_, kind, flags_, shape_, number_, size_ = unpack(buffer, at)
                    end = at + length_ + 12
                    at += environ_at
                    backlog.append((number_, flags_, shape_, buffer[at : at + size_], bytes(view[at + size_ : end])))
                    if vanished:
                        vanished.discard(number_)
                n = length + 12
                values = view[environ_at:]
                data = b"" if length == size + 4 else bytes(view[environ_at + size : n])
                if vanished:
                    vanished.discard(number)
            try:
                environ = shapes[shape](loads(values)) if shape else {**base, **loads(values)}
            except KeyError:
                append(pack(0, RETURNED, 0, 0, number))
                continue
            x = Exchange()
            x.number = number
            x.method = environ["REQUEST_METHOD"]
            x.path = environ["PATH_INFO"]
            if data or flags != 1:
                if flags & 1:
                    environ["wsgi.input"] = io.BytesIO(data)
                else:
                    x.content = environ["wsgi.input"] = Content(x, data)
            environ["wsgi.early_hints"] = x.early_hints
            environ["weir.disconnected"] = x.disconnected
            if extensions:
                environ["weir.hub"] = x
            self.answered += 1
            marks[number & 1023] = number
            calls[me] = x
            if not blocks or not engine.pass_role(number):
                put(x)
            if ticker.parked:
                ticker.unpark()
            try:
                result = application(environ, x.start_response)
                # The usual response: one block, known before anything was sent.
                if type(result) is list and len(result) == 1 and x.state == 1 and x.holding is None:
                    block = result[0]
                    head = x.head
                    if (
                        type(block) is bytes
                        and len(block) < 16384
                        and head is not None
                        and (head[1] is None or head[1] == len(block))
                        and head[2]
                    ):
                        x.done = True
                        x.state = 2
                        if streams:
                            x.close_stream()
                        head = head[0]
                        append(pack(len(head) + len(block), 18, 1, 0, number) + head + block)
                    else:
                        x.answer(result)
                else:
                    x.answer(result)
            except BaseException as e:
                x.abort(e)
            try:
                take()  # even what another has put there: the role is then taken from a call that goes on
            except IndexError:
                calls.pop(me, None)
                return False
            if monotonic() > due:
                flush()
                engine.breathe()
                due = monotonic() + delay
                if due > self.state_due:
                    self.state(due)

    def state(self, now):
        """Queues a STATE."""
        self.state_due = now + 1
        try:
            with open("/proc/self/statm", "rb") as f:
                rss = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            rss = 0
        self.queue_frame(frame(STATE, 0, marshal.dumps({"rss": rss, "requests": self.answered}, 2)))


class Waiter:
    """One who waits for a RESULT, or for BODY."""

    number = 0
    call = None  # for whose content
    news = role = begun = False
    lock = result = None


# --- who reads, and who waits -------------------------------------------------------------------------------------------------


class Seat:
    """Where a thread of the pool sits while it has nothing to do."""

    def __init__(self):
        self.lock = allocate_lock()
        self.lock.acquire()
        self.role = False


class Threads:
    """The classes sync and threads: one thread, or more."""

    ENDS = 0.01  # seconds: how often one who waits for packets looks whether the last call has ended, after STOP

    def __init__(self, worker, count):
        self.worker = worker
        self.count = count
        self.blocks = count > 1
        # Guarded by worker.mutex, which is not held while anybody waits:
        self.seats = []  # of threads that have nothing to do
        self.waiting = []  # Exchanges and Waiters whose thread waits for a frame that another reads
        self.blocking = 0  # so many calls more get the role taken off them before they begin
        self.ended = False

    def start(self):
        """Starts the threads; they sit down. It raises RuntimeError when the system gives no more of them."""
        if self.blocks:
            import threading

            for i in range(1, self.count):
                threading.Thread(target=self.work, args=(Seat(), False), name="weir-%d" % i, daemon=True).start()

    def run(self):
        self.work(Seat(), True)

    @vital
    def work(self, seat, role):
        worker = self.worker
        while True:
            if role:
                if worker.serve():
                    return self.finish()
                worker.flush()
            if worker.forker is not None:
                cut_off()
            item = None
            with worker.mutex:
                role = False
                if worker.backlog:
                    item = worker.backlog.popleft()
                elif self.take(None):
                    role = True
                else:
                    self.seats.append(seat)
            if item is not None:
                worker.run(item)
                worker.flush()
            elif not role:
                seat.lock.acquire()
                if self.ended:
                    return
                role, seat.role = seat.role, False

    def finish(self):
        """Leaves the role to those who wait: the application's own threads, and what was registered with atexit, may publish yet."""
        last = Waiter()
        last.begun = True
        with self.worker.mutex:
            self.ended = True
            for seat in self.seats:
                seat.lock.release()
            self.seats.clear()
            self.give(last)

    def is_idle(self):
        return len(self.seats) == self.count - 1

    def idle(self):
        worker = self.worker
        while True:
            with worker.mutex:
                if worker.stopping and not worker.backlog and self.is_idle():
                    return None
            if not worker.stopping or worker.readable(self.ENDS):
                return worker.receive()

    def breathe(self):
        pass

    def pass_role(self, number):
        """Gives the role to a thread that has nothing to do, when calls have been found to block."""
        if self.blocking <= 0:
            return False
        with self.worker.mutex:
            if not self.seats:
                return False
            self.blocking -= 1
            self.seat()
        self.worker.queue(frame(BEGUN, number))
        return True

    def seat(self):
        """Gives the role to a thread that has nothing to do. mutex is held."""
        seat = self.seats.pop()
        seat.role = True
        seat.lock.release()

    def take(self, x):
        """Takes the role from the call of x, or from one that takes long. mutex is held."""
        slot = self.worker.slot
        try:
            if slot[-1] is x or slot[-1].begun:
                slot.pop()
                return True
        except IndexError:
            pass
        return False

    def take_role(self, x):
        with self.worker.mutex:
            return self.take(x)

    def give(self, x):
        """Passes the role on, from x, which goes on with its call. mutex is held."""
        if self.waiting:
            other = self.waiting.pop(0)
            other.role = True
            other.lock.release()
        elif self.seats and (type(x) is Waiter or x.done):
            self.seat()
        else:
            self.worker.slot.append(x)
            if self.worker.ticker.parked:
                self.worker.ticker.unpark()

    def wake(self, x):
        """Tells whoever waits for x that there is news. mutex is held."""
        x.news = True
        if x in self.waiting:
            self.waiting.remove(x)
            x.lock.release()

    def wait(self, x):
        worker = self.worker
        while True:
            with worker.mutex:
                mine = x.role
                x.role = False
                if x.news:
                    x.news = False
                    if mine:
                        self.give(x.call or x)
                    return
                if not mine:
                    mine = self.take(x.call or x)
                if mine and self.seats:
                    self.seat()
                    mine = False
                if not mine:
                    if x.lock is None:
                        x.lock = allocate_lock()
                        x.lock.acquire()
                    self.waiting.append(x)
            if not mine:
                x.lock.acquire()
                continue
            worker.flush()
            worker.read(worker.receive(), True)
            with worker.mutex:
                x.role = True
                if worker.backlog and self.seats:
                    self.seats.pop().lock.release()

    def give_back(self):
        """Gives requests back that were read and would have to wait for a call that takes long."""
        worker = self.worker
        if self.blocks or not worker.gives_back:
            return
        while True:
            try:
                item = worker.backlog.pop()
            except IndexError:
                break
            worker.queue(frame(RETURNED, item[0]))
        worker.flush()

    def forked(self):
        pass

    def stuck(self, x):
        """The call of x takes long: finds somebody else who reads."""
        if self.seats or self.waiting:
            with self.worker.mutex:
                if self.seats:
                    if self.take(x):
                        self.blocking = 64 if self.blocks else 0
                        self.seat()
                elif self.waiting and self.take(x):
                    self.give(x)


class Greenlets:
    """The class gevent: a greenlet for each call that has to wait for something."""

    blocks = False

    def __init__(self, worker, count):
        import gevent
        import gevent.event

        self.worker = worker
        self.count = count
        self.gevent = gevent
        self.event = gevent.event.Event
        global caller
        caller = gevent.getcurrent
        self.ended = self.event()
        self.serving = False  # a greenlet has the role, or its Exchange is in worker.slot
        self.away = 0  # calls that the role was taken from
        self.waiting = 0
        loop = gevent.get_hub().loop
        loop.install_sigchld()  # gevent does it after the first os.fork, and would wait for ever for a child that has ended by then
        self.watcher = loop.io(worker.sock.fileno(), 1)

    def start(self):
        """Starts nothing: there are no threads."""

    def run(self):
        self.watcher.start(self.readable)
        self.ended.wait()
        self.watcher.stop()

    @vital
    def readable(self):
        """Called by gevent's hub."""
        worker = self.worker
        if self.serving:
            if not worker.slot:
                return  # a greenlet reads, but lets others do something first
            if self.away + 1 >= self.count:
                if self.waiting:
                    self.read()
                else:
                    self.watcher.stop()
                return
            worker.slot.pop()
            self.away += 1
        elif self.away >= self.count:
            if self.waiting:
                self.read()
            else:
                self.watcher.stop()
            return
        self.serving = True
        self.gevent.spawn(self.go)

    def read(self):
        """Reads a packet for those who wait, while there are too many calls for more."""
        try:
            n = self.worker.sock.recv_into(self.worker.view, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:  # it was taken back
            return
        self.worker.read(n, True)

    @vital
    def go(self):
        worker = self.worker
        if worker.serve():
            self.serving = False
        else:
            worker.flush()
            while worker.backlog:
                worker.run(worker.backlog.popleft())
                worker.flush()
            if worker.forker is not None:
                return cut_off()
            self.away -= 1
            self.resume()
        STDOUT.flush()  # nobody would end the line of a greenlet that has ended
        STDERR.flush()
        if worker.stopping and self.away == 0 and not self.serving:
            worker.flush()
            self.ended.set()

    def resume(self):
        if not self.watcher.active and self.worker.forker is None:
            self.watcher.start(self.readable)

    def forked(self):
        self.watcher.stop()
        forker = caller()
        if isinstance(forker, self.gevent.Greenlet):
            forker.link(lambda _: leave())  # one of the application's own may have forked

    def is_idle(self):
        return self.away == 0

    def idle(self):
        return None

    def breathe(self):
        try:
            self.gevent.sleep(0)
        except BaseException as e:  # a Timeout that was not cancelled
            CALLS.pop(caller(), None)  # it need not be this one's
            log("weir: a call that is over has left this behind: " + format_error(e))

    def take_role(self, x):
        slot = self.worker.slot
        if slot and slot[-1] is x:
            slot.pop()
            return True
        return False

    def wake(self, x):
        x.news = True
        if x.lock is not None:
            x.lock.set()

    def wait(self, x):
        if not x.news:
            if x.lock is None:
                x.lock = self.event()
            x.lock.clear()
            self.waiting += 1
            self.resume()
            try:
                x.lock.wait()
            finally:
                self.waiting -= 1
        x.news = False

    def give_back(self):
        pass

    def stuck(self, x):
        pass


class Ticker:
    """A thread that looks whether a call takes long: then what has been finished before it leaves, the supervisor is told, and another thread
    reads on. It ends lines that calls have left without an end, too.

    To look costs, because the thread needs Python's lock for it: 6 us for each request of 80 us, when it looks every millisecond. So it does that
    only for a while after a call has taken long, else every 5 ms. It sleeps while nothing is done.
    """

    ACTIVE = 0.001
    CALM = 0.005
    AFTERWARDS = 2.0  # seconds
    QUIET = 0.04  # seconds

    def __init__(self, worker):
        self.worker = worker
        self.parked = False
        self.active = False  # it looks often enough for blocks of content to wait for it
        self.gate = allocate_lock()
        self.gate.acquire()

    def unpark(self):
        self.parked = False
        try:
            self.gate.release()
        except RuntimeError:  # two were first
            pass

    @vital
    def run(self):
        worker = self.worker
        slot, outbox = worker.slot, worker.outbox
        last, flushes, until = None, -1, 0.0
        worked = monotonic()
        while True:
            sleep(self.ACTIVE if self.active else self.CALM)
            try:
                x = slot[-1]
            except IndexError:
                x = None
            now = monotonic()
            if x is not None:
                worked = now
                if x is last:
                    until = now + self.AFTERWARDS
                    if not x.begun:
                        self.begin(x)
                    if worker.backlog:
                        worker.engine.give_back()
                    worker.engine.stuck(x)
            if outbox.frames and outbox.flushes == flushes:
                outbox.flush()
            flushes = outbox.flushes
            if STDOUT.begun or STDERR.begun:
                STDOUT.flush_ended()
                STDERR.flush_ended()
            last = x
            quiet = now - worked > self.QUIET and not outbox.frames
            self.active = now < until and not quiet
            if quiet:
                self.parked = True
                if slot:
                    self.parked = False
                    continue
                last = x = None
                self.gate.acquire()
                worked = monotonic()

    def begin(self, x):
        """Tells the supervisor that x was begun, before what x may have queued."""
        x.begun = True
        outbox = self.worker.outbox
        if x.number and outbox.lock.acquire(False):
            try:
                if self.worker.slot[-1:] == [x] and x.state != SENT:
                    outbox.frames.insert(0, frame(BEGUN, x.number))
                    outbox.drain()
            finally:
                outbox.lock.release()
            outbox.flush()


# --- the application ----------------------------------------------------------------------------------------------------------


class Unusable(Exception):
    """There is no application. The text is what to do about it."""


def load(spec):
    """Imports the application that spec names."""
    module_name, colon, expression = spec.partition(":")
    if not module_name or not re.match(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z", module_name):
        raise Unusable("%r does not name an application: write module:attribute, module, or 'module:factory()'" % spec)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as e:
        if e.name is not None and (module_name == e.name or module_name.startswith(e.name + ".")):
            raise Unusable(
                "there is no module %r in %s, nor on Python's path: check its spelling, or name its directory with --chdir or --pythonpath"
                % (e.name, os.getcwd())
            ) from e
        raise Unusable(
            "%r needs the module %r, which %s does not have: install it, or choose another Python with --virtualenv or --python"
            % (module_name, e.name, sys.executable)
        ) from e
    except BaseException as e:
        raise Unusable("importing %r has raised %s: the traceback above tells where" % (module_name, type(e).__name__)) from e
    if not colon:
        for expression in ("application", "app"):
            if hasattr(module, expression):
                break
        else:
            raise Unusable("module %r has neither 'application' nor 'app': name what it has, %s:attribute" % (module_name, module_name))
    found = evaluate(module, module_name, expression)
    complaint = not_wsgi(found)
    if complaint:
        raise Unusable("%s:%s is not a WSGI application: %s" % (module_name, expression, complaint))
    return found


def evaluate(module, module_name, expression):
    """The value of 'a.b' or 'a.b(1, x=2)' in module. Arguments are literals."""
    wrong = "%r is neither an attribute nor a call with literals: write module:attribute, or 'module:factory(\"x\", key=1)'" % expression
    try:
        node = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise Unusable(wrong) from None
    call = node if isinstance(node, ast.Call) else None
    names = []
    node = call.func if call else node
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise Unusable(wrong)
    names.insert(0, node.id)
    value, path = module, module_name
    for name in names:
        try:
            value = getattr(value, name)
        except AttributeError:
            raise Unusable("%s has no attribute %r: check the spelling of what follows the colon" % (path, name)) from None
        path += "." + name
    if call is None:
        return value
    try:
        args = [ast.literal_eval(arg) for arg in call.args]
        keywords = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg or fail(wrong)}
    except ValueError:
        raise Unusable(wrong) from None
    if not callable(value):
        raise Unusable("%s is a %s, which cannot be called" % (path, type(value).__name__))
    try:
        return value(*args, **keywords)
    except BaseException as e:
        raise Unusable("%s has raised %s: the traceback above tells where" % (expression, type(e).__name__)) from e


def fail(text):
    raise Unusable(text)


ASGI = "it is asynchronous (ASGI); run it with an ASGI server, or put an adapter such as a2wsgi around it"


MAKES = "the application has returned a %s, which can be called, and no content: if it makes the application, write it with parentheses, module:factory()"


def not_wsgi(found):
    """What found is, if it is not a WSGI application."""
    is_async = lambda f: inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f)
    if inspect.iscoroutine(found):
        found.close()
        return "the factory is asynchronous (async def)"
    for kind in (found if isinstance(found, type) else type(found)).__mro__:
        module = kind.__module__ or ""
        if module == "tornado.wsgi":  # up to tornado 5 its WSGIApplication was one, and an Application too
            break
        if module.split(".")[0] == "tornado" and kind.__name__ in ("Application", "RequestHandler"):
            return "it is a tornado %s, which tornado itself has to run" % kind.__name__
    if isinstance(found, type) and is_async(getattr(found, "__call__", None)):
        return "it is a class of asynchronous (ASGI) applications; run it with an ASGI server"
    if is_async(found) or is_async(getattr(type(found), "__call__", None)):
        return ASGI
    if not callable(found):
        return "it is a %s, which cannot be called" % type(found).__name__
    try:
        signature = inspect.signature(found, follow_wrapped=False)  # a decorator may change it
    except Exception:  # built-in ones have none
        return None
    try:
        signature.bind({}, None)
    except TypeError:
        if "scope" in signature.parameters:
            return ASGI
        return "it takes %s, not (environ, start_response); if it makes the application, write it with parentheses" % signature
    return None


# --- the template -------------------------------------------------------------------------------------------------------------


class Template:
    """A process that has imported the application, and forks a worker whenever the supervisor wants one."""

    RIGHTS = 5  # the worker's socket, its marks, its standard output and error, and the pipe that tells of the supervisor's end

    def __init__(self, sock, config):
        self.sock = sock
        self.config = config

    def run(self):
        """Forks workers until the supervisor needs the template no longer. In a worker it returns that's Worker and CONFIG."""
        self.complain()
        self.send(frame(READY, 0, marshal.dumps({"pid": os.getpid(), "python": sys.version.split()[0]}, 2)))
        freeze()  # a collection in a worker does not write to what is there by now either
        while True:
            try:
                packet, rights, _, _ = self.sock.recvmsg(PACKET, socket.CMSG_SPACE(self.RIGHTS * 4), socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:
                packet = b""
            if not packet:
                end()
            fds = array.array("i", rights[0][2] if rights else b"")
            if len(fds) != self.RIGHTS:
                leave()
            flush_all()
            try:
                pid = fork_orphan()
            except OSError as e:
                self.send(frame(FAILED, 0, ("a worker cannot be forked: %s" % e).encode("utf-8", "backslashreplace")))
            else:
                if pid == 0:
                    return self.become_worker(*fds)
                self.send(frame(FORKED, pid))
            for fd in fds:
                os.close(fd)

    def send(self, packet):
        try:
            self.sock.send(packet)
        except OSError:
            leave()

    def complain(self):
        """Tells of threads, which workers do not have."""
        threading = sys.modules.get("threading")
        others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()] if threading else []
        if others:
            log("weir: importing the application has started threads, which its workers do not have under --preload: " + ", ".join(others))

    def become_worker(self, sock, marks, stdout, stderr, lifeline):
        for fd, number in ((stdout, 1), (stderr, 2)):
            os.dup2(fd, number)
            os.close(fd)
        # The kernel kills the process when the supervisor is gone, whose end of the pipe nobody else has.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
        poller = POLL()
        poller.register(lifeline, 0)
        if poller.poll(0):
            leave()
        ignore_signals()
        if self.config.get("class") == "gevent":
            import gevent

            gevent.reinit()
        worker, config = connect(sock)
        os.setpgid(0, 0)  # not before it has CONFIG: until then the supervisor may not know of the process, and looks for it in the template's group
        config["marks"] = marks
        return worker, config


def fork_orphan():
    """Forks a process whose parent is gone when this returns, so that the supervisor has adopted it. Returns its number; 0: this is the process."""
    r, w = os.pipe()
    with open(r, "rb", 0) as r, open(w, "wb", 0) as w:
        between = real_fork()
        if between == 0:
            pid = -1
            try:
                pid = real_fork()
                if pid > 0:
                    w.write(U32.pack(pid))
            finally:
                if pid != 0:
                    os._exit(0)
            return 0
        w.close()
        told = r.read(4)
    try:
        real_waitpid(between, 0)
    except ChildProcessError:  # the application has its children waited for
        pass
    if not told:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return U32.unpack(told)[0]


# --- the process --------------------------------------------------------------------------------------------------------------


def prepare(config):
    """Makes the process what the application expects."""
    sys.argv = ["weir"]
    sys.modules["__main__"].__dict__.pop("__file__", None)  # or multiprocessing would run it in the processes that it spawns
    if config.get("chdir"):
        os.chdir(config["chdir"])
    for directory in reversed([os.getcwd(), *map(os.path.abspath, config.get("pythonpath") or ())]):
        if directory in sys.path:
            sys.path.remove(directory)
        sys.path.insert(0, directory)
    sys.stdout = sys.__stdout__ = Stream(sys.stdout, STDOUT)  # which lasts, when the application puts another in its place
    sys.stderr = sys.__stderr__ = Stream(sys.stderr, STDERR)


def ignore_signals():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the supervisor sends STOP; not SIG_IGN, which programs that are started would inherit


def connect(fd):
    """Makes the socket of descriptor fd that of the process. Returns its Worker, and CONFIG."""
    sock = RealSocket(fileno=fd)
    sock.setblocking(True)
    sock.set_inheritable(False)
    worker = Exchange.worker = Worker(sock)
    n = worker.receive()
    if n == 0:
        leave()
    length, kind, _, _, _ = FRAME.unpack_from(worker.buffer)
    if kind != CONFIG or n != length + FRAME.size:
        worker.malformed(n)
    return worker, marshal.loads(worker.view[FRAME.size : n])


def import_application(config):
    """Makes the process what the application expects, and imports that. It raises Unusable."""
    try:
        prepare(config)
    except OSError as e:
        raise Unusable("the worker cannot go to %s: %s" % (e.filename, e.strerror)) from None
    if config.get("class") == "gevent":
        try:
            import gevent.monkey
        except ImportError as e:
            raise Unusable("the class gevent needs gevent, which %s does not have: pip install gevent" % sys.executable) from e
        gevent.monkey.patch_all()
    return load(config["app"])


def freeze():
    """Has Python's collections of garbage pass over what is there by now.

    A full one would look at all that was imported, during some request: 9 ms with Flask, more with Django. PyPy has nothing of the kind.
    """
    if hasattr(gc, "freeze"):
        gc.collect()  # or its garbage would stay for ever
        gc.freeze()


def refuse(worker, e):
    """Ends the process, which can't be a worker. e is Unusable."""
    cause = format_error(e.__cause__) if e.__cause__ is not None else ""
    text = cause + str(e)
    worker.outbox.send(frame(FAILED, 0, text.encode("utf-8", "backslashreplace")[-PIECE:]))
    leave()


def main():
    ignore_signals()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    worker, config = connect(3)
    os.register_at_fork(before=fork, after_in_parent=fork_over, after_in_child=forked)
    begun = monotonic()
    try:
        application = import_application(config)
    except Unusable as e:
        refuse(worker, e)
    imported = monotonic() - begun
    if config.get("validate"):
        from wsgiref.validate import validator

        application = validator(application)
    if config.get("template"):
        worker, config = Template(worker.sock, config).run()
    else:
        freeze()
    worker.configure(config)
    worker.application = application
    threads = max(1, config.get("threads") or 1) if worker.kind == "threads" else 1
    if worker.kind == "gevent":
        worker.engine = Greenlets(worker, max(1, config.get("connections") or 1000))
    else:
        worker.engine = Threads(worker, threads)
    worker.ticker = Ticker(worker)
    try:
        start_new_thread(worker.ticker.run, ())
        worker.engine.start()
    except (RuntimeError, MemoryError):
        text = "the system gives the worker no more threads, and it has %d: lower --threads, or raise their limit (ulimit -u, pids.max) or that of memory"
        refuse(worker, Unusable(text % (1 + threads)))
    ready = {
        "pid": os.getpid(),
        "python": sys.version.split()[0],
        "multithread": worker.base["wsgi.multithread"],
        "multiprocess": worker.base["wsgi.multiprocess"],
        "keys": True,
        "several": True,
        "import": imported,
        "marks": worker.shares_marks,
    }
    worker.outbox.send(frame(READY, 0, marshal.dumps(ready, 2)))
    worker.engine.run()
    worker.flush()
    with worker.outbox.lock:  # what the ticker may be sending
        pass
    end()


MASKS = {}  # of threads that fork


def fork():
    """Puts off signals for the child until it acts on them as other processes do."""
    MASKS[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))


def fork_over():
    signal.pthread_sigmask(signal.SIG_SETMASK, MASKS.pop(get_ident(), ()))


def forked():
    """Takes the socket away from a process that was forked."""
    worker = Exchange.worker
    fd = worker.sock.detach()
    if fd >= 0:
        os.close(fd)
    worker.mutex, worker.outbox.lock = allocate_lock(), allocate_lock()  # other threads may have held them
    worker.forker = caller()
    worker.slot.clear()
    worker.backlog.clear()
    if worker.engine is not None:
        worker.engine.forked()
    STDOUT.renew()
    STDERR.renew()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fork_over()


def end():
    """Ends the process as Python would: after the threads that are no daemons, and what was registered with atexit. The supervisor bounds it.

    Python itself ends by taking apart what the ticker, daemon threads and extensions may still be using.
    """
    import atexit

    threading = sys.modules.get("threading")
    for last in ([threading._shutdown] if threading else []) + [atexit._run_exitfuncs]:  # the former has executors end their threads, too
        try:
            last()
        except BaseException as e:
            log(format_error(e))
    leave(0)


if __name__ == "__main__":
    main()
