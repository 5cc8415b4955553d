"""Addresses of the pages for people."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from transcription.web import accounts, pages
from transcription.web.counting import limited_login

urlpatterns = [
    path("", pages.home, name="home"),
    path("history/", pages.history, name="history"),
    path("transcriptions/<uuid:row_id>/", pages.transcription, name="transcription-page"),
    path("transcriptions/<uuid:row_id>/place/", pages.place, name="transcription-place"),
    path("transcriptions/<uuid:row_id>/<slug:verb>/", pages.act, name="transcription-act"),
    path("samples/<str:name>", pages.sample, name="sample"),
    # Browsers ask for it beside every page that names none.
    path("favicon.ico", RedirectView.as_view(url=static("transcription/icon.svg"))),
    path("accounts/login/", limited_login(accounts.LogIn.as_view()), name="login"),
    path("accounts/logout/", accounts.LogOut.as_view(), name="logout"),
    path(
        "accounts/password-reset/",
        limited_login(accounts.AskForReset.as_view()),
        name="password-reset",
    ),
    path("accounts/password-reset/sent/", accounts.ResetSent.as_view(), name="password-reset-sent"),
    path("accounts/password-reset/done/", accounts.ResetDone.as_view(), name="password-reset-done"),
    path(
        "accounts/password-reset/<uidb64>/<token>/",
        accounts.ChooseNewPassword.as_view(),
        name="password-reset-confirm",
    ),
    path("account/tokens/", limited_login(accounts.account_tokens), name="account-tokens"),
    path("account/tokens/<int:token_id>/revoke/", accounts.revoke_token, name="revoke-token"),
]
