"""tornado's WSGIContainer in several processes: serve_tornado.py HOST:PORT MODULE PROCESSES."""

import importlib
import logging
import sys

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.process import fork_processes
from tornado.wsgi import WSGIContainer

logging.getLogger("tornado.access").setLevel(logging.ERROR)  # it writes a line for each request
host, port = sys.argv[1].rsplit(":", 1)
sockets = bind_sockets(int(port), host, backlog=4096)
fork_processes(int(sys.argv[3]))
HTTPServer(WSGIContainer(importlib.import_module(sys.argv[2]).app)).add_sockets(sockets)
IOLoop.current().start()
