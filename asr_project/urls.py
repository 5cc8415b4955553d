"""The addresses of the service."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("transcription.api.urls")),
    path("admin/", admin.site.urls),
]
