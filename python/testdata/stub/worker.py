"""A worker in few lines: sync, whole requests, whole responses. Tests of the supervisor use it for what the real one does not do."""
import importlib
import marshal
import os
import socket
import struct
import sys
import time

sock = socket.socket(fileno=3)
sock.setblocking(True)
FRAME = struct.Struct("<IBBHI")


def send(kind, flags, number, payload=b""):
    sock.send(FRAME.pack(len(payload), kind, flags, 0, number) + payload)


def receive():
    p = sock.recv(131072)
    if not p:
        os._exit(1)
    length, kind, flags, _, number = FRAME.unpack_from(p)
    return kind, flags, number, p[12:]


kind, flags, number, payload = receive()
config = marshal.loads(payload)
if config["chdir"]:
    os.chdir(config["chdir"])
sys.path.insert(0, os.getcwd())
name, _, attribute = config["app"].partition(":")
app = getattr(importlib.import_module(name), attribute or "application")
send(16, 0, 0, marshal.dumps({"pid": os.getpid(), "marks": "MARKS" in os.environ}, 2))
while True:
    kind, flags, number, payload = receive()
    if kind == 6:
        sys.exit(0)
    if kind != 2:
        continue
    size = struct.unpack_from("<I", payload)[0]
    environ = marshal.loads(payload[4 : 4 + size])
    if environ["PATH_INFO"] == "/garbage":
        sock.send(b"this is no frame")
        continue
    if environ["PATH_INFO"] == "/stand":  # the first time the application is never called
        try:
            os.close(os.open(environ["QUERY_STRING"], os.O_CREAT | os.O_EXCL))
            time.sleep(60)
        except FileExistsError:
            environ["PATH_INFO"] = "/"
    if environ["PATH_INFO"] == "/unknown":
        send(99, 0, number, b"a frame of another version")
        send(18, 1, 4711, b"")
    head = []
    content = b"".join(app(environ, lambda status, headers, exc_info=None: head.append((status, headers))))
    h = marshal.dumps(head[0], 2)
    send(18, 1, number, struct.pack("<I", len(h)) + h + content)
