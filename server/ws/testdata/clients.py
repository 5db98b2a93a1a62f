"""Two clients that others wrote talk to the echo of clients_test.go: python3-websockets and python3-websocket."""

import asyncio
import os
import sys

import websocket
import websockets

URL = sys.argv[1]
PATIENCE = 30


async def with_websockets(compression):
    text = "Grüße 👋 " * 40
    async with websockets.connect(URL, compression=compression, open_timeout=PATIENCE, subprotocols=["v1", "v2"], max_size=None) as c:
        assert c.subprotocol == "v2", c.subprotocol
        names = [e.name for e in c.extensions]
        assert names == (["permessage-deflate"] if compression else []), names
        for message in ["", "Hello", text, b"", b"\x00\xff", os.urandom(300_000), "x" * 900_000]:
            await c.send(message)
            assert await c.recv() == message
        await c.send(["in ", "three ", "fragments"])
        assert await c.recv() == "in three fragments"
        await asyncio.wait_for(await c.ping(b"payload"), PATIENCE)
        # Many at once, in both directions.
        async def send():
            for i in range(2000):
                await c.send(f"{i} {text}")
        task = asyncio.create_task(send())
        for i in range(2000):
            assert await c.recv() == f"{i} {text}"
        await task
        await c.close(4000, "bye")
        assert c.close_code == 4000, c.close_code

    async with websockets.connect(URL, compression=compression, open_timeout=PATIENCE) as c:
        try:
            await c.send("x" * (1 << 20) + "x")
            await c.recv()
            raise AssertionError("a message that is too big was echoed")
        except websockets.ConnectionClosed as e:
            assert e.rcvd.code == 1009, e

    async with websockets.connect(URL, compression=compression, open_timeout=PATIENCE) as c:
        await c.send("close 4001 enough")
        try:
            await c.recv()
        except websockets.ConnectionClosed as e:
            assert (e.rcvd.code, e.rcvd.reason) == (4001, "enough"), e

    for origin, status in (("https://evil.example", 403), ("http://" + URL.split("/")[2], 101)):
        try:
            async with websockets.connect(URL, origin=origin, open_timeout=PATIENCE):
                assert status == 101, origin
        except websockets.InvalidStatusCode as e:
            assert e.status_code == status, e


def with_websocket():
    c = websocket.create_connection(URL, timeout=PATIENCE)
    for message in ("Hello", "Grüße 👋", "x" * 70_000):
        c.send(message)
        assert c.recv() == message
    c.send_binary(b"\x00\xff" * 1000)
    assert c.recv() == b"\x00\xff" * 1000
    c.ping("are you there")
    opcode, frame = c.recv_data_frame(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_PONG and frame.data == b"are you there", (opcode, frame)
    c.close(status=4002)


asyncio.run(with_websockets(None))
asyncio.run(with_websockets("deflate"))
with_websocket()
print("ok")
