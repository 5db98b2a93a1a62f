"""Event streams that go on where they were, for GRIP: weir with --grip, Pushpin or Fastly Fanout.

    bin/weir run app:app --chdir examples/grip --grip --grip-key changeme --admin 127.0.0.1:5561

It speaks to the proxy as django-grip and django-eventstream do, and uses neither, so that all of it can be read here. Events are kept in a
database; a client that comes back, or has missed one, gets what it has not had from there. Where the proxy takes messages, and the key, are in
GRIP_URL.
"""

import base64
import hmac
import json
import os
import sqlite3
import time
from contextlib import closing
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseBadRequest, JsonResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_http_methods

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="only an example", MIDDLEWARE=[__name__ + ".grip_middleware"])

GRIP_URL = urlsplit(os.environ.get("GRIP_URL", "http://127.0.0.1:5561?key=changeme"))
GRIP_KEY = parse_qs(GRIP_URL.query)["key"][0].encode()
DATABASE = os.environ.get("DATABASE", "events.sqlite3")


# Tokens: JWT with HS256, as GRIP has them both ways.


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def signature(signed):
    return base64url(hmac.digest(GRIP_KEY, signed, "sha256"))


def make_token():
    header = base64url(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
    claims = base64url(json.dumps({"iss": "example", "exp": int(time.time()) + 3600}).encode())
    return b".".join((header, claims, signature(header + b"." + claims))).decode()


def is_valid(token):
    signed, _, given = token.encode().rpartition(b".")
    if not hmac.compare_digest(signature(signed), given):
        return False
    claims = signed.rpartition(b".")[2]
    return json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))["exp"] > time.time()


def grip_middleware(get_response):
    """Tells views whether there is a proxy that holds requests."""

    def middleware(request):
        request.held_by_proxy = is_valid(request.headers.get("Grip-Sig", "."))
        return get_response(request)

    return middleware


# Events


def database():
    connection = sqlite3.connect(DATABASE, timeout=30)
    connection.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER, channel TEXT, data TEXT, PRIMARY KEY (channel, id))")
    return closing(connection)


def last_id(connection, channel):
    return connection.execute("SELECT coalesce(max(id), 0) FROM events WHERE channel = ?", (channel,)).fetchone()[0]


def known(request):
    """What the client has: the last id of each channel."""
    ids = {}
    given = request.headers.get("Last-Event-ID") or request.GET.get("lastEventId", "")
    for part in filter(None, given.split(",")):
        channel, _, id = part.rpartition(":")
        ids[unquote(channel)] = int(id)
    for part in filter(None, request.headers.get("Grip-Last", "").split(",")):  # the proxy knows better
        channel, _, id = part.partition(";")
        ids[unquote(channel.strip()[len("events-") :])] = int(id.partition("=")[2])
    return ids


def encode(id, data):
    return "event: message\nid: %s\ndata: %s\n\n" % (id, json.dumps(data))


def escape(text):
    """For the filter build-id, which looks for "%I"."""
    return text.replace("%", "%%")


def stream(request):
    if not request.held_by_proxy:
        return HttpResponse("This page is for a proxy that speaks GRIP.\n", status=501, content_type="text/plain")
    channels = request.GET.getlist("channel")
    try:
        ids = known(request)
    except ValueError:
        return HttpResponseBadRequest("The last event id is malformed.\n")
    if not channels or len(channels) > 10:
        return HttpResponseBadRequest("The request names one to ten channels.\n")
    body = ""
    if "link" not in request.GET:  # some browsers wait for 2 KiB before they show anything
        body = ":" + " " * 2048 + "\n\nevent: stream-open\ndata:\n\n"
    with database() as connection:
        for channel in channels:
            ids.setdefault(channel, last_id(connection, channel))
        for channel in channels:
            rows = connection.execute("SELECT id, data FROM events WHERE channel = ? AND id > ? ORDER BY id", (channel, ids[channel]))
            for ids[channel], data in rows:
                body += escape(encode(",".join("%s:%s" % (quote(c), ids[c]) for c in channels), data))
    response = HttpResponse(body, content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["Grip-Hold"] = "stream"
    response["Grip-Channel"] = ", ".join("events-%s; prev-id=%s; filter=build-id; filter=skip-users" % (quote(c), ids[c]) for c in channels)
    query = request.GET.copy()
    query["link"] = "next"
    query.pop("lastEventId", None)  # the proxy says by Grip-Last where the client is
    response["Grip-Link"] = "<%s?%s>; rel=next" % (request.path, query.urlencode())
    response["Grip-Keep-Alive"] = r"event: keep-alive\ndata:\n\n; format=cstring; timeout=20"
    id_format = ",".join("%s:%%(events-%s)s" % (escape(quote(c)), quote(c)) for c in channels)
    response["Grip-Set-Meta"] = 'id_format="%s", user="%s"' % (id_format, quote(request.GET.get("user", "anonymous")))
    return response


def say(request):
    """Adds an event, and tells the proxy. "quietly" leaves that out: clients learn of the event when the next one comes."""
    channel, data = request.GET.get("channel"), request.body.decode("utf-8", "replace")
    if not channel:
        return HttpResponseBadRequest("The request names a channel.\n")
    with database() as connection:
        connection.execute("BEGIN IMMEDIATE")
        previous = last_id(connection, channel)
        connection.execute("INSERT INTO events VALUES (?, ?, ?)", (previous + 1, channel, data))
        connection.commit()
    if "quietly" not in request.GET:
        item = {
            "channel": "events-" + quote(channel),
            "id": str(previous + 1),
            "prev-id": str(previous),
            "meta": {"skip_users": request.GET.get("skip", "")},
            "formats": {"http-stream": {"content": "event: message\nid: %I\ndata: " + escape(json.dumps(data)) + "\n\n", "content-filters": ["build-id"]}},
        }
        url = urlunsplit((GRIP_URL.scheme, GRIP_URL.netloc, GRIP_URL.path.rstrip("/") + "/publish/", "", ""))
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + make_token()}
        with urlopen(Request(url, json.dumps({"items": [item]}).encode(), headers), timeout=10) as answer:
            answer.read()
    return JsonResponse({"id": previous + 1})


@require_http_methods(["GET", "POST"])
def events(request):
    return say(request) if request.method == "POST" else stream(request)


PAGE = """<!doctype html>
<title>Events</title>
<h1>Events</h1>
<form><input autofocus> <button>Say</button></form>
<ul></ul>
<script>
const url = "/events/?channel=room"
new EventSource(url).onmessage = event => {
  const line = document.createElement("li")
  line.textContent = JSON.parse(event.data)
  document.querySelector("ul").append(line)
}
document.querySelector("form").onsubmit = event => {
  event.preventDefault()
  const input = document.querySelector("input")
  fetch(url, {method: "POST", body: input.value})
  input.value = ""
}
</script>
"""


@require_GET
def page(request):
    return HttpResponse(PAGE)


urlpatterns = [path("", page), path("events/", events)]
app = get_wsgi_application()
