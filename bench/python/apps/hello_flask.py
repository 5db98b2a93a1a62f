"""The same with Flask."""

from flask import Flask

app = Flask(__name__)


@app.route("/plaintext")
def hello():
    return "Hello, World!"
