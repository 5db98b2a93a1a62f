"""uvicorn with its bridge to WSGI in several processes: serve_uvicorn.py HOST:PORT MODULE PROCESSES."""

import os
import socket
import sys

import uvicorn

host, port = sys.argv[1].rsplit(":", 1)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((host, int(port)))
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or an answer waits 40 ms for an acknowledgement
listener.listen(4096)
for _ in range(1, int(sys.argv[3])):
    if os.fork() == 0:
        break
config = uvicorn.Config(sys.argv[2] + ":app", interface="wsgi", log_level="warning", access_log=False, timeout_keep_alive=75)
uvicorn.Server(config).run(sockets=[listener])
