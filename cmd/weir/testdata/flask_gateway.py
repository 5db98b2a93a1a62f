from flask import Flask, request

app = Flask(__name__)


@app.route("/<path:path>", methods=["GET", "POST"])
def tell(path):
    environ = request.environ
    words = [
        request.method, request.path, request.args.get("q"), request.scheme, len(request.get_data()),
        environ.get("X_ADMIN"), environ.get("UWSGI_FILE"), request.remote_addr, environ["REQUEST_URI"],
    ]
    return " ".join(str(word) for word in words), 201, {"X-From": "flask"}
