"""Serves the application with gevent's own server: serve_gevent.py HOST:PORT."""

import sys

from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer  # noqa: E402

from application import application  # noqa: E402

WSGIServer(sys.argv[1], application, log=None).serve_forever()
