"""CherryPy's server, cheroot, in several processes: serve_cheroot.py HOST:PORT MODULE PROCESSES."""

import importlib
import os
import socket
import sys

from cheroot import wsgi

host, port = sys.argv[1].rsplit(":", 1)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, int(port)))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
listener.listen(4096)
for _ in range(1, int(sys.argv[3])):
    if os.fork() == 0:
        break
# It takes a listening socket that it is given as a service manager would.
os.environ["LISTEN_PID"] = str(os.getpid())
os.dup2(listener.fileno(), 3)
server = wsgi.Server((host, int(port)), importlib.import_module(sys.argv[2]).app, request_queue_size=4096, timeout=75)
server.keep_alive_conn_limit = 4000  # ten by default
server.start()
