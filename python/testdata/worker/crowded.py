"""An application that leaves its process room for some threads."""

import resource
import threading

with open("/proc/self/statm") as f:
    pages = int(f.read().split()[0])
size = pages * resource.getpagesize() + (200 << 20)
threading.stack_size(8 << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
