"""From the outbox to the receivers: claims a message, sends it, writes down what came of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from transcription.delivery import robots
from transcription.delivery.addresses import AddressRefused
from transcription.delivery.client import Answer, TimedOut, Unreachable, post
from transcription.delivery.outcome import Outcome, Verdict, pause_seconds, verdict_on
from transcription.delivery.signing import signed_headers
from transcription.models import Bot, Delivery, LeasedWork, Transcription, WebhookEndpoint
from transcription.models.leases import in_seconds
from transcription.models.sealed import Unreadable
from transcription.services import bots, webhooks
from transcription.work.apprise import send_by_apprise
from transcription.work.couriers import call_couriers
from transcription.work.runtime import Runtime, new_lease

logger = logging.getLogger(__name__)
State, Kind = LeasedWork.State, Delivery.Kind

#: Messages that go to one place at the same time: a slow server holds no more threads than this.
MOST_TO_ONE_PLACE = 2
#: A try ends long before this, by itself; if not, something hangs and the process is ended.
LIMIT_SECONDS = 300.0
INFRASTRUCTURE_PAUSE_SECONDS = 5.0
_ANSWER_CHARACTERS = 500
USER_AGENT = "asr-service-webhooks/1"


@dataclass(frozen=True, kw_only=True)
class Full:
    """Who has as many messages on their way as he may."""

    places: frozenset[str]
    owners: frozenset[int]


def full_ones(under_way: Iterable[tuple[str, int | None]], *, threads: int) -> Full:
    """Decide who has to wait, from the place and owner of each message that is under way.

    Nobody has more than half of all threads: whoever names many servers that never answer
    holds up himself.
    """
    under_way = list(under_way)
    places = Counter(place for place, _owner in under_way)
    owners = Counter(owner for _place, owner in under_way if owner is not None)
    return Full(
        places=frozenset(place for place, count in places.items() if count >= MOST_TO_ONE_PLACE),
        owners=frozenset(owner for owner, count in owners.items() if count >= max(1, threads // 2)),
    )


def deliver_next(runtime: Runtime) -> bool:
    """Send one message; False: there was none that could be sent now."""
    while True:
        full = full_ones(
            Delivery.objects.filter(state=State.LEASED).values_list("destination", "owner_id"),
            threads=settings.WEBHOOK_THREADS * settings.CHORES_WORKERS,
        )
        waiting = (
            Delivery.objects.claimable()
            .exclude(destination__in=full.places)
            .exclude(owner__in=full.owners)
            .order_by("not_before")
            .values_list("pk", flat=True)[:1]
        )
        chosen = list(waiting)
        if not chosen:
            return False
        for row in Delivery.objects.claim(chosen, new_lease()):
            # While this one is under way, another thread looks for the next.
            call_couriers(runtime)
            deliver(row, runtime)
            return True
        # Another thread took it; look again.


def deliver(row: Delivery, runtime: Runtime) -> None:
    """Send a claimed message; every outcome is written to its row."""
    with runtime.keeper.holding([row], limit_seconds=LIMIT_SECONDS):
        try:
            outcome = _send(row)
            if outcome is None:
                row.finish(State.CANCELLED)
            else:
                record(row, outcome)
        except DatabaseError as error:
            logger.exception("Message %s is handed back: the database fails.", row.pk)
            row.hand_back(error=str(error), pause_seconds=INFRASTRUCTURE_PAUSE_SECONDS)
        except Exception as error:
            logger.exception("Sending message %s went wrong in an unknown way.", row.pk)
            record(row, Outcome(verdict=Verdict.LATER, error_code="internal_error",
                                detail=repr(error)))  # fmt: skip


def record(row: Delivery, outcome: Outcome) -> None:
    """Write down what a try came to, and when the next is due."""
    pause: float | None = None
    if outcome.verdict is Verdict.LATER:
        pause = pause_seconds(
            row.tries + 1, settings.WEBHOOK_RETRY_DELAYS_SECONDS, outcome.retry_after_seconds
        )
    changes: dict[str, Any] = {
        "tries": F("tries") + 1,
        "attempts": 0,
        "http_status": outcome.http_status,
        "answer": storable(outcome.answer),
        "error_code": outcome.error_code,
        "last_error": storable(outcome.detail),
    }
    with transaction.atomic():
        if outcome.verdict is Verdict.DELIVERED:
            held = row.finish(State.DONE, delivered_at=Now(), **changes)
        elif pause is not None:
            held = row.finish(State.PENDING, not_before=in_seconds(pause), **changes)
        else:
            held = row.finish(State.FAILED, **changes)
        if held and outcome.verdict is Verdict.GONE and row.endpoint is not None:
            webhooks.switch_off(row.endpoint, WebhookEndpoint.OffReason.GONE)
    if not held:
        return  # it was cancelled, or is somebody else's by now
    place = row.destination
    if outcome.verdict is Verdict.DELIVERED:
        logger.info("Message %s (%s) arrived at %s.", row.pk, row.event, place)
    else:
        logger.warning(
            "Message %s (%s) did not arrive at %s, try %d: %s, status %s, %s",
            row.pk,
            row.event,
            place,
            row.tries + 1,
            outcome.error_code,
            outcome.http_status,
            "not again" if pause is None else f"again in {pause:g} s",
        )


def storable(text: str) -> str:
    """Return a stranger's words as every database takes them: no NUL, no half of a character."""
    return text.replace("\0", "").encode("utf-8", errors="replace").decode()


def _send(row: Delivery) -> Outcome | None:
    """Send it and say what came of it; None: nobody is to be told any more."""
    try:
        if row.kind == Kind.BOT:
            return _to_bot(row) if row.bot and row.bot.enabled else None
        if row.kind == Kind.WEBHOOK:
            endpoint = row.endpoint
            if endpoint is None or not endpoint.enabled:
                return None
            return _to_webhook(
                row, endpoint.url, endpoint.secrets(), include_text=endpoint.include_text
            )
        assert row.owner_id is not None  # nobody else may name a callback
        secrets = webhooks.callback_secrets(row.owner_id)
        return _to_webhook(row, row.callback_url, secrets, include_text=False)
    except Unreadable as error:
        return Outcome(
            verdict=Verdict.NEVER, error_code="secret_unreadable", detail=str(error)
        )  # fmt: skip


def _to_webhook(row: Delivery, url: str, secrets: list[str], *, include_text: bool) -> Outcome:
    body = body_of(row, include_text=include_text)
    answer = _post(
        url,
        body.encode(),
        {
            "User-Agent": USER_AGENT,
            **signed_headers(row.message_id, body, secrets, now=timezone.now()),
        },
    )
    if isinstance(answer, Outcome):
        return answer
    verdict, error_code = verdict_on(answer.status)
    said = answer.body.decode("utf-8", errors="replace")[:_ANSWER_CHARACTERS]
    return Outcome(
        verdict=verdict,
        error_code=error_code,
        http_status=answer.status,
        # Else an endpoint on a private host that is allowed would show its owner what he may
        # not read there.
        answer=said if answer.is_public else "",
        retry_after_seconds=answer.retry_after_seconds,
    )


def body_of(row: Delivery, *, include_text: bool) -> str:
    """Return the JSON of a message, with the transcription's text where that is wanted."""
    payload = row.payload
    if include_text and row.transcription_id:
        text = Transcription.objects.values_list("text", flat=True).get(pk=row.transcription_id)
        payload = {**payload, "data": {**payload["data"], "text": text}}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _to_bot(row: Delivery) -> Outcome:
    bot = row.bot
    assert bot is not None
    text = bots.message_for(row, bot, row.transcription)
    if bot.kind == Bot.Kind.APPRISE:
        return send_by_apprise(bot.address(), text)
    request = robots.request_for(
        bot.kind, url=bot.address(), secret=bot.secret(), text=text, now=timezone.now()
    )
    answer = _post(request.url, request.body, {"User-Agent": USER_AGENT})
    return answer if isinstance(answer, Outcome) else robots.judge(bot.kind, answer)


def _post(url: str, body: bytes, headers: dict[str, str]) -> Answer | Outcome:
    """Post it; where no answer comes, return what that means."""
    try:
        return post(
            url,
            body=body,
            headers={"Content-Type": "application/json", **headers},
            limit_seconds=settings.WEBHOOK_TIMEOUT_SECONDS,
            allowed=webhooks.allowed_hosts(),
        )
    except AddressRefused as error:
        return Outcome(
            verdict=Verdict.NEVER, error_code="address_not_allowed",
            detail=webhooks.why_refused(error),
        )  # fmt: skip
    except TimedOut as error:
        return Outcome(
            verdict=Verdict.LATER, error_code="receiver_timeout", detail=str(error)
        )  # fmt: skip
    except Unreachable as error:
        return Outcome(
            verdict=Verdict.LATER, error_code="receiver_unreachable", detail=str(error)
        )  # fmt: skip
