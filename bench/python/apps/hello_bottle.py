"""The same with Bottle."""

from bottle import Bottle

app = Bottle()


@app.route("/plaintext")
def hello():
    return "Hello, World!"
