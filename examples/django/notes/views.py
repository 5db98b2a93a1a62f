import hashlib
import json
import time

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

# Those that are exempt from the check against forgery are for programs, not for forms of this site.


@require_safe
def index(request):
    page = '<!doctype html><title>Django</title><link rel="stylesheet" href="{}"><h1>Hello from Django</h1><a href="admin/">admin</a>'
    return HttpResponse(format_html(page, static("style.css")))


def hello(request, name):
    return HttpResponse(format_html("Hello, {}!", name))


@csrf_exempt
@require_POST
def form(request):
    return HttpResponse(format_html("{} takes {}", request.POST["name"], request.POST["drink"]))


@csrf_exempt
@require_POST
def add(request):
    return JsonResponse({"sum": sum(json.loads(request.body)["numbers"])})


@csrf_exempt
@require_POST
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for block in file.chunks(1 << 20):
        digest.update(block)
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest.hexdigest()})


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def stream(request):
    def lines():
        for i in range(5):
            yield f"{i} {time.time()}\n"
            time.sleep(0.1)

    return StreamingHttpResponse(lines(), content_type="text/plain")


def old(request):
    return redirect("index")


def error(request):
    raise RuntimeError("made to fail")
