"""serve.py waitress|wsgiref: serves app.py on the listener that is descriptor 3."""

import socket
import sys

from app import application

listener = socket.socket(fileno=3)
if sys.argv[1] == "waitress":
    import waitress

    waitress.serve(application, sockets=[listener], threads=1)
else:
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    server = WSGIServer(listener.getsockname(), WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()  # as server_bind does, but without asking for the host's name
    server.setup_environ()
    server.set_app(application)
    server.serve_forever()
