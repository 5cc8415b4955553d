"""The review: its answers, parameters and errors, as ``api.schema.routes`` has them of the rest."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

from transcription.api.review import (
    LARGEST_NUMBER,
    PART_KINDS,
    ChangesQuery,
    OperationsSerializer,
    ReplaceSerializer,
    RestoreSerializer,
    ReviewQuery,
    ReviewState,
    RevisionSerializer,
    StateSerializer,
    SummarySerializer,
)
from transcription.api.schema.parts import codes, described
from transcription.api.schema.shapes import SegmentSerializer
from transcription.models import Revision, Transcription


class ReviewSegmentSerializer(SegmentSerializer):
    """A segment as it is reviewed."""

    id = serializers.IntegerField()
    avg_logprob = serializers.FloatField(
        allow_null=True, help_text="How sure the engine was; null where it does not say."
    )
    revision = serializers.IntegerField(
        help_text="The revision that changed it last: to be sent back with each operation on it."
    )


class ReviewStandingSerializer(serializers.Serializer[Any]):
    """How the review stands."""

    revision = serializers.IntegerField(help_text="0: the text is the machine's.")
    review_state = serializers.ChoiceField(choices=ReviewState.choices)


class ReviewSerializer(ReviewStandingSerializer):
    """A text to review."""

    segments = ReviewSegmentSerializer(many=True)
    people = serializers.ListField(
        child=serializers.CharField(), help_text="Others who have it open at this moment."
    )


class ChangedSerializer(ReviewStandingSerializer):
    """What has changed."""

    changed = ReviewSegmentSerializer(many=True, help_text="New or changed.")
    removed = serializers.ListField(child=serializers.IntegerField())
    order = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="The ids of all segments in order, where there are others than before.",
    )


class ReplacedSerializer(ChangedSerializer):
    """What has changed, and how often something was replaced."""

    replaced = serializers.IntegerField()


class OthersChangesSerializer(ChangedSerializer):
    """What others changed, and who they are."""

    people = serializers.ListField(child=serializers.CharField())


class RevisionPageSerializer(serializers.Serializer[Any]):
    """Some of the steps."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = RevisionSerializer(many=True)


class SideSerializer(serializers.Serializer[Any]):
    """A segment on one side of a difference."""

    id = serializers.IntegerField()
    start_seconds = serializers.FloatField()
    end_seconds = serializers.FloatField()
    text = serializers.CharField(allow_blank=True)


class PartSerializer(serializers.Serializer[Any]):
    """A stretch of text."""

    kind = serializers.ChoiceField(choices=PART_KINDS)
    text = serializers.CharField(trim_whitespace=False)


class DifferenceSerializer(serializers.Serializer[Any]):
    """A segment that differs; several where they were split, merged or taken away."""

    before = SideSerializer(many=True)
    after = SideSerializer(many=True)
    parts = PartSerializer(many=True, help_text="From the one text to the other.")


class DifferencesSerializer(serializers.Serializer[Any]):
    """What differs."""

    machine = DifferenceSerializer(many=True, help_text="From the machine's text.")
    before = DifferenceSerializer(many=True, help_text="From the revision before.")


class ThenSerializer(serializers.Serializer[Any]):
    """A text as a revision left it; of revision 0, which nobody wrote, who and when are null."""

    number = serializers.IntegerField()
    author = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    kind = serializers.ChoiceField(choices=Revision.Kind.choices, allow_null=True)
    summary = SummarySerializer(allow_null=True)
    segments = ReviewSegmentSerializer(many=True)
    diff = DifferencesSerializer()


NUMBER = OpenApiParameter(
    "number",
    {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER},
    OpenApiParameter.PATH,
    description="Of the revision; 0: the machine's text.",
)
NOT_NOW = ("not_reviewable", "review_approved")


def _both(*, get: Any, post: Any) -> Any:
    """Return the description of an address that is read and posted to."""
    return lambda method: get(post(method))


class Reviews(OpenApiViewExtension):
    """``/api/v1/transcriptions/{id}/review/`` and ``…/revisions/``."""

    target_class = "transcription.api.review.ReviewViewSet"

    def view_replacement(self) -> Any:
        return described(
            self.target,
            rows=Transcription.objects.none(),
            review=_both(
                get=extend_schema(
                    methods=["GET"],
                    description="The text in segments, and who else has it open.",
                    parameters=[ReviewQuery],
                    responses=ReviewSerializer,
                    filters=False,
                    extensions=codes("invalid", "not_reviewable"),
                ),
                post=extend_schema(
                    methods=["POST"],
                    description="Change segments: all that is asked for, or nothing.",
                    filters=False,
                    request=OperationsSerializer,
                    responses=ChangedSerializer,
                    examples=[
                        OpenApiExample(
                            "A corrected segment",
                            value={
                                "session": "6f9619ff-8b86-4011-b42d-00c04fc964ff",
                                "operations": [
                                    {"op": "text", "id": 17, "revision": 0, "text": "Good day."}
                                ],
                            },
                            request_only=True,
                        ),
                        OpenApiExample(
                            "Only what others changed",
                            value={"operations": [], "after": 3},
                            request_only=True,
                        ),
                    ],
                    extensions=codes(
                        *(*NOT_NOW, "review_conflict", "segment_unknown", "too_many_operations"),
                        *("segment_text_too_long", "split_outside_text", "nothing_to_merge"),
                        "times_not_possible",
                    ),
                ),
            ),
            replace=extend_schema(
                request=ReplaceSerializer,
                responses=ReplacedSerializer,
                extensions=codes(*NOT_NOW, "review_conflict", "segment_text_too_long"),
            ),
            state=extend_schema(
                request=StateSerializer,
                responses=ReviewStandingSerializer,
                extensions=codes("not_reviewable"),
            ),
            changes=extend_schema(
                parameters=[ChangesQuery],
                responses=OthersChangesSerializer,
                filters=False,
                extensions=codes("invalid", "not_reviewable"),
            ),
            revisions=extend_schema(
                operation_id="api_v1_transcriptions_revisions_list",
                responses=RevisionPageSerializer,
                parameters=[
                    OpenApiParameter("cursor", str),
                    OpenApiParameter(
                        "page_size", {"type": "integer", "minimum": 1, "maximum": 200}
                    ),
                ],
            ),
            revision=extend_schema(
                parameters=[NUMBER],
                responses=ThenSerializer,
                filters=False,
                extensions=codes("not_reviewable"),
            ),
            restore=extend_schema(
                parameters=[NUMBER],
                request=RestoreSerializer,
                responses=ChangedSerializer,
                extensions=codes(*NOT_NOW, "review_conflict"),
            ),
        )
