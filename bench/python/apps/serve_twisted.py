"""twisted.web in several processes: serve_twisted.py HOST:PORT MODULE PROCESSES."""

import importlib
import os
import socket
import sys

host, port = sys.argv[1].rsplit(":", 1)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, int(port)))
listener.listen(4096)
listener.setblocking(False)
for _ in range(1, int(sys.argv[3])):
    if os.fork() == 0:
        break

# A reactor must not be shared.
from twisted.internet import reactor  # noqa: E402
from twisted.python.threadpool import ThreadPool  # noqa: E402
from twisted.web.server import Site  # noqa: E402
from twisted.web.wsgi import WSGIResource  # noqa: E402

pool = ThreadPool(10, 10)
pool.start()
reactor.addSystemEventTrigger("after", "shutdown", pool.stop)
site = Site(WSGIResource(reactor, pool, importlib.import_module(sys.argv[2]).app))
site.displayTracebacks = False
reactor.adoptStreamPort(listener.fileno(), socket.AF_INET, site)
reactor.run()
