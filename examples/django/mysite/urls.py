from django.contrib import admin
from django.urls import path

from notes import views

urlpatterns = [
    path("", views.index, name="index"),
    path("hello/<name>", views.hello),
    path("form", views.form),
    path("json", views.add),
    path("upload", views.upload),
    path("count", views.count),
    path("stream", views.stream),
    path("old", views.old),
    path("error", views.error),
    path("admin/", admin.site.urls),
]
