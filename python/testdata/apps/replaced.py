"""An application that puts something of its own in the place of sys.stdout, and nothing in that of sys.stderr."""
import sys


class Log:
    def write(self, text):
        return sys.__stdout__.write(text)


sys.stdout, sys.stderr = Log(), None


def app(environ, start_response):
    print("printed")
    start_response("200 OK", [])
    return [b"served"]
