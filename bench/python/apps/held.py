"""A Flask application whose clients wait for messages on topics, which weir holds for it."""

from flask import Flask, request

app = Flask(__name__)


@app.route("/plaintext")
def plaintext():
    return "Hello, World!"


@app.route("/poll/<topic>")
def poll(topic):
    hub = request.environ["weir.hub"]
    hub.hold([topic], timeout=float(request.args["timeout"]), since=request.args.get("since"))
    return "", 204  # when the time has passed


@app.route("/publish/<topic>", methods=["POST"])
def publish(topic):
    number, reached = request.environ["weir.hub"].publish(topic, request.get_data())
    return {"id": number, "reached": reached}
