"""The addresses of the service."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("transcription.api.urls")),
    path("admin/", admin.site.urls),
]

# Programs get their errors as JSON, people as pages.
handler400 = "transcription.api.errors.bad_request"
handler403 = "transcription.api.errors.permission_denied"
handler404 = "transcription.api.errors.page_not_found"
handler500 = "transcription.api.errors.server_error"
