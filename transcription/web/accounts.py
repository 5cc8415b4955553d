"""Pages on which people log in, set a forgotten password anew and look after their tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from transcription.models import ApiToken
from transcription.services import audit, tokens

#: More tokens than anybody looks after by hand; the API lists them all.
SHOWN_TOKENS = 200


class LogIn(views.LoginView):
    """Logs in by user name and password."""

    template_name = "account/login.html"
    redirect_authenticated_user = True


class LogOut(views.LogoutView):
    """Logs out, by a post alone."""


class AskForReset(views.PasswordResetView):
    """Sends a link to the e-mail address of an account; says so where there is no e-mail.

    The answer is the same whether there is such an account or not.
    """

    template_name = "account/password_reset.html"
    email_template_name = "account/password_reset_email.txt"
    subject_template_name = "account/password_reset_subject.txt"
    success_url = reverse_lazy("password-reset-sent")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not settings.EMAIL_URL:
            return render(request, "account/no_email.html")
        return super().dispatch(request, *args, **kwargs)


class ResetSent(views.PasswordResetDoneView):
    """Says that the message is on its way."""

    template_name = "account/password_reset_sent.html"


class ChooseNewPassword(views.PasswordResetConfirmView):
    """The page that the link leads to."""

    template_name = "account/password_new.html"
    success_url = reverse_lazy("password-reset-done")


class ResetDone(views.PasswordResetCompleteView):
    """Says that the new password holds."""

    template_name = "account/password_done.html"


class TokenForm(forms.Form):
    """What a new token is for, what it may do, and how long it holds."""

    name = forms.CharField(
        max_length=100,
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What it is for, for example 'web shop'."),
    )
    scope = forms.ChoiceField(
        choices=ApiToken.Scope.choices,
        initial=ApiToken.Scope.TRANSCRIBE,
        label=gettext_lazy("It may"),
    )
    days = forms.TypedChoiceField(
        coerce=int,
        initial=90,
        label=gettext_lazy("It holds for"),
        choices=[
            (7, gettext_lazy("7 days")),
            (30, gettext_lazy("30 days")),
            (90, gettext_lazy("90 days")),
            (365, gettext_lazy("a year")),
            (0, gettext_lazy("as long as it is not revoked")),
        ],
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account_tokens(request: HttpRequest) -> HttpResponse:
    """Show the user's tokens; a post makes one, which is shown on this one answer only."""
    assert isinstance(request.user, User)
    form = TokenForm(request.POST or None)
    made = ""
    if form.is_valid():
        days = form.cleaned_data["days"]
        _row, made = tokens.create(
            request.user,
            name=form.cleaned_data["name"],
            scope=form.cleaned_data["scope"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        form = TokenForm()
    return render(
        request,
        "account/tokens.html",
        {
            "form": form,
            "made": made,
            "tokens": tokens.of(request.user)[:SHOWN_TOKENS],
            "now": timezone.now(),
        },
    )


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """End one of the user's tokens."""
    assert isinstance(request.user, User)
    row = get_object_or_404(tokens.of(request.user), pk=token_id)
    if tokens.revoke(row, audit.Actor.of(request.user, audit.Via.PAGE)):
        messages.success(request, _("The token '%(name)s' is revoked.") % {"name": row.name})
    return redirect("account-tokens")
