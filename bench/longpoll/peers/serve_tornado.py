"""tornado with native handlers that hold a poll: serve_tornado.py HOST:PORT."""

import asyncio
import sys

import tornado.web

waiting = {}  # topic to the futures of its waiters
last = {}  # topic to the id of its last message


class Plaintext(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain")
        self.write(b"Hello, World!")


class Poll(tornado.web.RequestHandler):
    future = None

    async def get(self, topic):
        loop = asyncio.get_running_loop()
        self.topic, self.future = topic, loop.create_future()
        waiting.setdefault(topic, set()).add(self.future)
        timer = loop.call_later(float(self.get_argument("timeout", "30")), self.give_up)
        message = await self.future
        timer.cancel()
        if message is None:
            self.set_status(204)
        else:
            self.write(message)

    def give_up(self):
        if not self.future.done():
            waiting.get(self.topic, set()).discard(self.future)
            self.future.set_result(None)

    def on_connection_close(self):
        if self.future is not None:
            self.give_up()


class Publish(tornado.web.RequestHandler):
    def post(self, topic):
        number = last[topic] = last.get(topic, 0) + 1
        message = {"id": number, "data": self.request.body.decode()}
        futures = waiting.pop(topic, set())
        for future in futures:
            future.set_result(message)
        self.write({"id": number, "reached": len(futures)})


async def main():
    host, port = sys.argv[1].rsplit(":", 1)
    application = tornado.web.Application(
        [("/plaintext", Plaintext), ("/poll/(.+)", Poll), ("/publish/(.+)", Publish)],
        log_function=lambda handler: None,
    )
    application.listen(int(port), host, backlog=4096)
    await asyncio.Event().wait()


asyncio.run(main())
