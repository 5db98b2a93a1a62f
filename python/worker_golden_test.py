"""Tests of worker.py: recorded conversations."""

import marshal
import os
import struct
import unittest

from worker_supervisor import (
    ABORT, BEGUN, BODY, CREDIT, DATA_DIRECTORY, END, FAIL, GONE, KEYS, REQUEST, RESULT, STATE, Supervisor, environ, frame, frames, request,
)


class TestGolden(unittest.TestCase):
    """The files *.hex: testdata/worker/README.md tells what they are. WORKER_RECORD=1 writes them anew."""

    ITEMS = list(environ(HTTP_ODD="\xe4").items())
    NAMES = tuple(k for k, _ in ITEMS)
    VALUES = marshal.dumps(tuple("/environ/keys" if k == "PATH_INFO" else v for k, v in ITEMS), 2)

    # A packet is sent, a number is how many frames are awaited then.
    CONVERSATIONS = {
        "hello": [request(1), 1],
        "keys": [frame(KEYS, 3, marshal.dumps(NAMES, 2)), frame(REQUEST, 7, struct.pack("<I", len(VALUES)) + VALUES, END, 3), 1],
        "latin-1": [request(2, "/good/head", HTTP_X="\xe4\xff"), 1],
        "content": [request(3, "/echo", content=b"a=1&b=2", method="POST"), 1],
        "streamed-content": [
            request(4, "/echo/stream", flags=0, method="POST", CONTENT_LENGTH="7"), 1, frame(BODY, 4, b"one"), frame(BODY, 4, b" two", END, 1), 2,
        ],
        "broken-content": [
            request(4, "/echo/stream", flags=0, method="POST", CONTENT_LENGTH="7"), 1, frame(BODY, 4, b"one"), frame(BODY, 4, b"the client has left", FAIL, 1), 1,
        ],
        "stream": [request(5, "/stream"), 4],
        "length-known": [request(5, "/too/much"), 2],
        "head": [request(6, "/stream", method="HEAD"), 2],
        "file": [request(7, "/file/offset"), 2],
        "hints": [request(8, "/hints"), 2],
        "hold": [request(9, "/hold/response"), 1],
        "hold-stream": [request(10, "/hold/stream"), 1],
        "publish": [request(11, "/publish"), 1, frame(RESULT, 1, marshal.dumps((42, 3), 2)), 1],
        "publish-failed": [request(11, "/publish"), 1, frame(RESULT, 1, marshal.dumps(None, 2)), 1],
        "abort": [request(12, "/never"), 1],
        "credit": [request(13, "/stream"), 2, frame(CREDIT, 13, struct.pack("<I", 100)), 3],
        "gone": [request(14, "/stream"), 2, frame(GONE, 14), 1],
        "returned": [
            request(15, "/echo", flags=0, method="POST", CONTENT_LENGTH="0"), 1, request(16), 1, frame(BODY, 15, b"", END), 1,
        ],
        "two-frames": [frame(GONE, 99) + request(17), 1],
    }

    def test_conversations(self):
        for name, steps in self.CONVERSATIONS.items():
            path = os.path.join(DATA_DIRECTORY, name + ".hex")
            config = dict(credit=6, returns=True) if name in ("credit", "gone") else dict(returns=True)
            lines = []
            with self.subTest(name), Supervisor(**config) as s:
                for step in steps:
                    if type(step) is bytes:
                        lines.append("> " + step.hex())
                        s.ours.send(step)
                        continue
                    while step:
                        packet = s.ours.recvmsg(200000, 256)[0]
                        for kind, flags, number, payload in frames(packet):
                            if kind not in (BEGUN, STATE):
                                if kind == ABORT:
                                    payload = payload.splitlines(True)[-1]
                                lines.append("< " + frame(kind, number, payload, flags).hex())
                                step -= 1
                    self.assertEqual(step, 0)
                if os.environ.get("WORKER_RECORD"):
                    with open(path, "w") as f:
                        f.write("\n".join(lines) + "\n")
                with open(path) as f:
                    self.assertEqual(lines, [line for line in f.read().splitlines() if line[:1] in "<>"])


if __name__ == "__main__":
    unittest.main()
