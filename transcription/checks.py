"""Settings that would hurt later are named at start-up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from transcription.delivery.addresses import AllowedHosts
from transcription.punctuation.files import PunctuationModelError, find_files

_RATE = re.compile(r"\d+/\d*[smhd]")


@register()
def check_leases(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """asr.E001: a batch must be able to end before its task is cut off."""
    timeout = settings.Q_CLUSTER["timeout"]
    if settings.BATCH_LIMIT_SECONDS >= timeout:
        return [
            Error(
                f"A batch may run for {settings.BATCH_LIMIT_SECONDS:g} s, "
                f"but its task is ended after {timeout} s.",
                hint=f"Set ASR_BATCH_LIMIT_SECONDS to less than {timeout}.",
                id="asr.E001",
            )
        ]
    return []


@register()
def check_rates(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """asr.E002: a rate that cannot be read would be an error of every request."""
    return [
        Error(
            f"{name}={rate!r} is not a rate.",
            hint="Write a number of calls and a unit of time: 5/s, 60/m, 1000/h, 5000/d, 10/5m.",
            id="asr.E002",
        )
        for name, rate in (
            ("ASR_RATE_ANON", settings.RATE_ANON),
            ("ASR_RATE_USER", settings.RATE_USER),
            ("ASR_RATE_LOGIN", settings.RATE_LOGIN),
            ("ASR_RATE_API_USER", settings.RATE_API_USER),
            ("ASR_RATE_API_TOKEN", settings.RATE_API_TOKEN),
            ("ASR_RATE_API_UPLOADS", settings.RATE_API_UPLOADS),
            ("ASR_RATE_API_BROWSER_TOKENS", settings.RATE_API_BROWSER_TOKENS),
        )
        if not _RATE.fullmatch(rate)
    ]


@register()
def check_private_hosts(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """asr.E020: a private host that cannot be read would be an error of every message."""
    try:
        AllowedHosts.of(settings.WEBHOOK_PRIVATE_HOSTS)
    except ValueError as error:
        return [
            Error(
                f"ASR_WEBHOOK_PRIVATE_HOSTS: {error}",
                hint="Write names and networks, separated by commas: hooks.internal,10.1.0.0/16.",
                id="asr.E020",
            )
        ]
    return []


@register()
def check_shared_cache(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """asr.E003: rate limits counted in each process alone are no limits."""
    if settings.WEB_PROCESSES > 1 and not settings.REDIS_URL:
        return [
            Error(
                f"{settings.WEB_PROCESSES} web processes need a cache that they share.",
                hint="Set ASR_REDIS_URL, or ASR_WEB_PROCESSES=1.",
                id="asr.E003",
            )
        ]
    return []


@register()
def check_anonymous(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """asr.E040: strangers must not be let in further than those who are known."""
    largest_known = settings.MAX_UPLOAD_BYTES
    if not settings.ALLOW_ANONYMOUS or settings.MAX_ANONYMOUS_UPLOAD_BYTES <= largest_known:
        return []
    return [
        Error(
            "Recordings without a token may be larger than those with one.",
            hint="Set ASR_MAX_ANONYMOUS_UPLOAD_MB to no more than ASR_MAX_UPLOAD_MB.",
            id="asr.E040",
        )
    ]


@register()
def check_retention(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """asr.E050: audio never outlives its text, whatever somebody wished."""
    audio, text = settings.AUDIO_KEPT_DAYS, settings.TEXT_KEPT_DAYS
    if not text or audio <= text:
        return []
    return [
        Error(
            f"The audio is to be kept for {audio:g} days, but the transcription that it belongs "
            f"to is deleted after {text:g} days, and the audio with it.",
            hint="Set ASR_AUDIO_KEPT_DAYS to no more than ASR_TEXT_KEPT_DAYS, or to 0: as long "
            "as the text.",
            id="asr.E050",
        )
    ]


@register()
def check_punctuation_model(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    """asr.E030: text that is to be polished by a model needs that model."""
    if settings.POLISH != "model":
        return []
    try:
        find_files(settings.WEIGHTS_DIR / settings.PUNCTUATION_MODEL)
    except PunctuationModelError as error:
        return [
            Error(
                f"ASR_POLISH=model, but there is no punctuation model: {error}",
                hint="Fetch it, or set ASR_POLISH=rules.",
                id="asr.E030",
            )
        ]
    return []
