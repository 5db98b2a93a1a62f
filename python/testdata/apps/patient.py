"""An application whose import takes as long as the test wants."""
import os
import time


def wait_for_the_end():
    while not os.path.exists(os.environ["END"]):
        time.sleep(0.01)


wait_for_the_end()


def app(environ, start_response):
    start_response("200 OK", [])
    return [b"imported"]
