"""The same with Django, in one file."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # it sets Content-Length
    ROOT_URLCONF=__name__,
    SECRET_KEY="none",
)


def hello(request):
    return HttpResponse("Hello, World!", content_type="text/plain")


urlpatterns = [path("plaintext", hello)]
app = get_wsgi_application()
