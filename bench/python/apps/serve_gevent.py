"""gevent's own server in several processes: serve_gevent.py HOST:PORT MODULE PROCESSES."""

import importlib
import sys

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
from gevent import socket  # noqa: E402
from gevent.pywsgi import WSGIServer  # noqa: E402

host, port = sys.argv[1].rsplit(":", 1)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, int(port)))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or an answer waits 40 ms for an acknowledgement
listener.listen(4096)
listener.setblocking(False)
for _ in range(1, int(sys.argv[3])):
    if gevent.fork() == 0:
        break
WSGIServer(listener, importlib.import_module(sys.argv[2]).app, log=None).serve_forever()
