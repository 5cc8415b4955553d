"""The addresses of the service."""

from django.contrib import admin
from django.urls import include, path

from transcription.admin.quality import quality_page
from transcription.web.counting import limited_login

urlpatterns = [
    path("", include("transcription.api.urls")),
    path("", include("transcription.web.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    # The admin's own page, as often as the other ways in.
    path("admin/login/", limited_login(admin.site.login)),
    # Before the admin's own, since it is no model's page.
    path("admin/transcription/quality/", admin.site.admin_view(quality_page), name="quality"),
    path("admin/", admin.site.urls),
]

# Programs get their errors as JSON, people as pages.
handler400 = "transcription.api.errors.bad_request"
handler403 = "transcription.api.errors.permission_denied"
handler404 = "transcription.api.errors.page_not_found"
handler500 = "transcription.api.errors.server_error"
