"""A chat whose clients wait in the server, and not in a worker: bin/weir run app:app --chdir examples/flask_chat

A room is a topic of weir.hub. The page has /rooms/NAME/events held as a stream, or polls /rooms/NAME/next when it is opened with "?poll".
Either way it goes on where it was when the connection comes back.
"""

import json

from flask import Flask, Response, abort, request

app = Flask(__name__)


def hub():
    """The hub, which is there when weir serves this application."""
    return request.environ.get("weir.hub") or abort(503, "This chat needs weir run.")


def topic(room):
    if len(room.encode()) > 100 or not room.isprintable():
        abort(404, "There is no such room.")
    return "room " + room  # topics of other kinds would have other names


def hold(room, **how):
    try:
        hub().hold(topic(room), **how)
    except ValueError as error:  # since is no id
        abort(400, str(error))


@app.get("/")
def page():
    return app.send_static_file("chat.html")


@app.get("/rooms/<room>/events")
def events(room):
    """Each message as it comes, after what was said before."""
    since = request.headers.get("Last-Event-ID", 0, type=int)
    hold(room, stream=True, since=since)
    return Response(mimetype="text/event-stream")


@app.get("/rooms/<room>/next")
def next_message(room):
    """The message after the one whose id is since; 204 when there is none within timeout seconds."""
    since, timeout = request.args.get("since", 0, type=int), request.args.get("timeout", 25, type=int)
    hold(room, since=since, timeout=min(max(timeout, 0), 60))
    return "", 204


@app.post("/rooms/<room>")
def say(room):
    said = request.get_json()
    name, text = (str(said.get(key, "")).strip() for key in ("name", "text")) if isinstance(said, dict) else ("", "")
    if not 0 < len(name) <= 40 or not 0 < len(text) <= 2000:
        abort(400, "A message has a name of up to 40 characters, and a text of up to 2,000.")
    id, _ = hub().publish(topic(room), json.dumps({"name": name, "text": text}))
    return {"id": id}
