"""Below ``/api/v1/transcriptions/{id}/``: what the page on which a text is reviewed calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema_field
from rest_framework import pagination, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from transcription.api.authentication import visible_to
from transcription.models import ApiToken, Revision, Transcription
from transcription.services import presence, review, revisions
from transcription.services.errors import ServiceError
from transcription.services.revisions import By, Changed, lines_of
from transcription.text.edits import Difference, Line

ReviewState = Transcription.ReviewState
#: Of PositiveIntegerField and BigAutoField.
LARGEST_NUMBER, LARGEST_ID = 2**31 - 1, 2**63 - 1
MOST_SECONDS = 10_000_000
MOST_CHARACTERS_TO_FIND = 500
#: What the parts of a difference are.
PART_KINDS = ["same", "removed", "added"]


def _number(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=LARGEST_NUMBER, **options)


def _seconds(**options: Any) -> serializers.FloatField:
    return serializers.FloatField(
        min_value=0, max_value=MOST_SECONDS, required=False, allow_null=True, **options
    )


class OperationSerializer(serializers.Serializer[Any]):
    """One thing that is done to one segment."""

    #: Operation -> the fields that it needs besides.
    NEEDED = {
        "text": ("text",),
        "split": ("at_character",),
        "merge": ("next_revision",),
        "times": ("start_seconds", "end_seconds"),
    }

    op = serializers.ChoiceField(choices=list(NEEDED))
    id = serializers.IntegerField(min_value=0, max_value=LARGEST_ID)
    revision = _number(help_text="Of the segment, as the client saw it.")
    text = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text=f"Of text. {review.MOST_CHARACTERS} characters at most.",
    )
    at_character = _number(
        required=False,
        help_text="Of split: how many characters of the text stay in front. Counted in code "
        "points: in JavaScript [...text.slice(0, position)].length.",
    )
    at_seconds = _seconds(
        help_text="Of split: when, in seconds of the recording; left out: between the words."
    )
    next_revision = _number(
        required=False, help_text="Of merge: the revision of the segment that follows."
    )
    next_id = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=LARGEST_ID,
        help_text="Of merge: which segment the client saw behind it; may be left out.",
    )
    start_seconds = _seconds(help_text="Of times.")
    end_seconds = _seconds(help_text="Of times.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in self.NEEDED[attrs["op"]] if attrs.get(name) is None]
        if missing:
            required = self.fields[missing[0]].error_messages["required"]
            raise serializers.ValidationError(dict.fromkeys(missing, required))
        return {name: value for name, value in attrs.items() if value is not None}


class PageSerializer(serializers.Serializer[Any]):
    """From which page a request comes."""

    session = serializers.UUIDField(
        required=False, allow_null=True, help_text="Made by the page when it was opened."
    )


class OperationsSerializer(PageSerializer):
    """What is done in one go."""

    operations = OperationSerializer(many=True)
    after = _number(
        required=False,
        allow_null=True,
        help_text="The revision up to which the page has everything: with it the answer has "
        "what others changed since, too.",
    )


class ReplaceSerializer(PageSerializer):
    """What is replaced by what."""

    find = serializers.CharField(max_length=MOST_CHARACTERS_TO_FIND, trim_whitespace=False)
    match_case = serializers.BooleanField(default=False)
    whole_words = serializers.BooleanField(default=False)
    revision = _number(help_text="Of the transcription, as the client saw it.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # No attribute can be called with.
        replacement = serializers.CharField(
            max_length=review.MOST_CHARACTERS, allow_blank=True, trim_whitespace=False
        )
        return {**super().get_fields(), "with": replacement}


class StateSerializer(serializers.Serializer[Any]):
    """How far the review is."""

    review_state = serializers.ChoiceField(choices=ReviewState.choices)


class ReviewQuery(PageSerializer):
    """Who looks."""


class ChangesQuery(PageSerializer):
    """Since when somebody wants to know of changes."""

    after = _number()


class RestoreSerializer(PageSerializer):
    """From where a text is brought back."""

    revision = _number(
        required=False,
        allow_null=True,
        help_text="Of the transcription, as the client saw it: with it nothing is restored over "
        "what others changed since.",
    )


class SummarySerializer(serializers.Serializer[Any]):
    """What a revision comes to."""

    changed = serializers.IntegerField(help_text="How many segments.")


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    """A step of the review."""

    author = serializers.CharField(source="author_name", read_only=True)
    summary = serializers.SerializerMethodField()

    class Meta:
        model = Revision
        fields = ["number", "author", "created_at", "kind", "summary"]
        read_only_fields = fields

    @extend_schema_field(SummarySerializer)
    def get_summary(self, row: Revision) -> dict[str, int]:
        return {"changed": row.changed}


class NewestNumberFirst(pagination.CursorPagination):
    """Pages of a transcription's revisions."""

    ordering = ("-number",)
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class ReviewViewSet(viewsets.GenericViewSet[Transcription]):
    """The text of a transcription as people make it right. For its owner, and for staff."""

    pagination_class = NewestNumberFirst
    parser_classes = [JSONParser]
    #: What OPTIONS describes.
    serializer_class = OperationsSerializer
    write_scope = ApiToken.Scope.TRANSCRIBE

    def get_queryset(self) -> QuerySet[Transcription]:
        return visible_to(self.request, Transcription.objects.defer(*Transcription.HEAVY_FIELDS))

    @action(detail=True, methods=["get", "post"])
    def review(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the text in segments, and who else has it open; posted to: change it."""
        row = self.get_object()
        return self._change(row) if request.method == "POST" else self._look(row)

    def _look(self, row: Transcription) -> Response:
        request = self.request
        by = _by(request, _valid(ReviewQuery, request.query_params))
        review.require_reviewable(row)
        # Read after the number: a change that came in between is told of again.
        lines = lines_of(row.pk)
        presence.note(row, by)
        return Response(
            {
                "revision": row.revision,
                "review_state": row.review_state,
                "segments": [shown(at, line) for at, line in enumerate(lines)],
                "people": presence.others(row, by),
            }
        )

    def _change(self, row: Transcription) -> Response:
        """Change segments: all that is asked for, or nothing."""
        request = self.request
        _limit_operations(request)
        given = _valid(OperationsSerializer, request.data)
        by = _by(request, given)
        operations = [review.Operation(**one) for one in given["operations"]]
        done = review.apply(row, by, operations, since=given.get("after"))
        return Response(_told(done))

    @action(detail=True, methods=["post"], url_path="review/replace")
    def replace(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Replace words in the whole text."""
        row = self.get_object()
        given = _valid(ReplaceSerializer, request.data)
        done, count = review.replace_all(
            row,
            _by(request, given),
            find=given["find"],
            replacement=given["with"],
            match_case=given["match_case"],
            whole_words=given["whole_words"],
            revision=given["revision"],
        )
        return Response({**_told(done), "replaced": count})

    @action(detail=True, methods=["post"], url_path="review/state")
    def state(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say how far the review is; approved texts are not changed until they are reopened."""
        row = self.get_object()
        given = _valid(StateSerializer, request.data)
        review.set_state(row, _by(request, {}), given["review_state"])
        return Response({"revision": row.revision, "review_state": row.review_state})

    @action(detail=True, url_path="review/changes")
    def changes(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return what others changed since a revision; also says that the page is still open."""
        row = self.get_object()
        given = _valid(ChangesQuery, request.query_params)
        by = _by(request, given)
        review.require_reviewable(row)
        done = review.changes_since(row, given["after"], session=by.session)
        presence.note(row, by)
        return Response({**_told(done), "people": presence.others(row, by)})

    @action(detail=True)
    def revisions(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the steps of the review, the newest first."""
        rows: QuerySet[Any] = self.get_object().revisions.defer("changes", "machine_text")
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(RevisionSerializer(page, many=True).data)

    @action(detail=True, url_path=r"revisions/(?P<number>\d+)")
    def revision(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the text as a revision left it, and what differs from the machine's text and
        from the revision before. Revision 0 is the machine's text."""
        row = self.get_object()
        review.require_reviewable(row)
        with _no_such_revision():
            then = revisions.look_back(row, _in_range(kwargs["number"]))
        return Response(
            {
                **_head(then.step),
                "segments": [shown(at, line) for at, line in enumerate(then.lines)],
                "diff": {
                    "machine": [_difference(one) for one in then.from_machine],
                    "before": [_difference(one) for one in then.from_before],
                },
            }
        )

    @action(detail=True, methods=["post"], url_path=r"revisions/(?P<number>\d+)/restore")
    def restore(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Bring the text of a revision back, as a new revision; 0: the machine's text."""
        row = self.get_object()
        given = _valid(RestoreSerializer, request.data)
        with _no_such_revision():
            done = review.restore(
                row,
                _by(request, given),
                _in_range(kwargs["number"]),
                revision=given.get("revision"),
            )
        return Response(_told(done))


def shown(at: int, line: Line) -> dict[str, Any]:
    """Return a segment as a client sees it."""
    return {
        "id": line.id,
        "index": at,
        "start_seconds": line.start_seconds,
        "end_seconds": line.end_seconds,
        "text": line.text,
        "language": line.language or None,
        "words": line.words,
        "avg_logprob": line.avg_logprob,
        "revision": line.revision,
    }


def _told(done: Changed) -> dict[str, Any]:
    told: dict[str, Any] = {
        "revision": done.revision,
        "review_state": done.review_state,
        "changed": [shown(at, line) for at, line in done.changed],
        "removed": list(done.removed),
    }
    if done.order is not None:
        told["order"] = list(done.order)
    return told


def _head(step: Revision | None) -> dict[str, Any]:
    """Return what is known of a revision; of the machine's text, which nobody wrote: nulls."""
    if step is not None:
        return dict(RevisionSerializer(step).data)
    return {"number": 0, "author": None, "created_at": None, "kind": None, "summary": None}


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "before": [_side(line) for line in one.before],
        "after": [_side(line) for line in one.after],
        "parts": [{"kind": kind, "text": text} for kind, text in one.parts],
    }


def _side(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "start_seconds": line.start_seconds,
        "end_seconds": line.end_seconds,
        "text": line.text,
    }


def _in_range(number: str) -> int:
    """Return the number of an address; Http404 for what no revision can have."""
    if len(number) > len(str(LARGEST_NUMBER)) or int(number) > LARGEST_NUMBER:
        raise Http404
    return int(number)


@contextmanager
def _no_such_revision() -> Iterator[None]:
    try:
        yield
    except Revision.DoesNotExist as error:
        raise Http404 from error


def _valid(form: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    given = form(data=data)
    given.is_valid(raise_exception=True)
    valid: dict[str, Any] = given.validated_data
    return valid


def _by(request: Request, given: dict[str, Any]) -> By:
    session: uuid.UUID | None = given.get("session")
    return By(user=cast(User, request.user), session=session)


def _limit_operations(request: Request) -> None:
    """Refuse too many before each of them is looked at."""
    data = request.data
    operations = data.get("operations") if isinstance(data, dict) else None
    if isinstance(operations, list) and len(operations) > review.MOST_OPERATIONS:
        raise ServiceError(
            "too_many_operations", count=len(operations), limit=review.MOST_OPERATIONS
        )
