"""An application that starts a thread when it is imported."""
import threading
import time

beats = []


def beat():
    while True:
        beats.append(None)
        time.sleep(0.001)


threading.Thread(target=beat, name="heart", daemon=True).start()


def app(environ, start_response):
    before = len(beats)
    time.sleep(0.05)
    start_response("200 OK", [])
    return [b"beats" if len(beats) > before else b"stands still"]
