"""What a request for a transcription asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers

from transcription.services.errors import ServiceError
from transcription.services.submit import language_of

#: Names of OpenAI's models, which programs have built in: the service chooses a model.
ALIASES = frozenset(
    {
        "whisper-1",
        "gpt-transcribe",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
    }
)
#: Formats and a model that need speakers to be told apart.
WITH_SPEAKERS = frozenset({"diarized_json", "gpt-4o-transcribe-diarize"})
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
#: Formats that can be streamed: a stream carries text alone.
STREAMED_FORMATS = frozenset({"json", "text"})
#: Fields that may come more than once, as ``name[]`` (so the client) or as ``name``.
_LISTS = (
    *("timestamp_granularities", "include", "keywords", "languages"),
    *("known_speaker_names", "known_speaker_references"),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The fields of a request beside its file."""

    #: Name of a model of ours; "": chosen by the service.
    model: str
    #: Code of the language; "": detected.
    language: str
    prompt: str
    #: One of ``FORMATS``.
    response_format: str
    stream: bool
    #: What of times goes into verbose_json.
    wants_words: bool
    wants_segments: bool


class FieldsSerializer(serializers.Serializer[Any]):
    """The fields beside the file, as the official client sends them.

    ``chunking_strategy`` and ``include[]`` may be sent and change nothing: recordings are always
    cut at silence, and the engines give no probabilities of single tokens. ``temperature`` is
    looked at and left to the engines, which raise it by themselves where a text goes wrong.
    """

    model = serializers.CharField(required=False, allow_blank=True, max_length=100)
    language = serializers.CharField(required=False, allow_blank=True, max_length=40)
    languages = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=100
    )
    prompt = serializers.CharField(required=False, allow_blank=True)
    keywords = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=200
    )
    response_format = serializers.ChoiceField(choices=FORMATS, default="json")
    temperature = serializers.FloatField(required=False, min_value=0, max_value=1)
    stream = serializers.BooleanField(default=False)
    timestamp_granularities = serializers.ListField(
        child=serializers.ChoiceField(choices=("word", "segment")), required=False
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        response_format = attrs["response_format"]
        if attrs.get("timestamp_granularities") and response_format != "verbose_json":
            raise serializers.ValidationError(
                {"timestamp_granularities": _("This needs response_format=verbose_json.")}
            )
        if attrs["stream"] and response_format not in STREAMED_FORMATS:
            raise serializers.ValidationError(
                {"stream": _("A stream carries text alone: response_format json or text.")}
            )
        return attrs


def read_fields(data: QueryDict) -> Asked:
    """Return what is asked for; raises ``ServiceError`` or a field's error."""
    given: dict[str, Any] = data.dict()
    for name in _LISTS:
        values = [*data.getlist(f"{name}[]"), *data.getlist(name)]
        given.pop(name, None)
        if values:
            given[name] = values
    if WITH_SPEAKERS & {given.get("response_format"), given.get("model")} or any(
        given.get(name) for name in ("known_speaker_names", "known_speaker_references")
    ):
        raise ServiceError("no_speakers")
    fields = FieldsSerializer(data=given)
    fields.is_valid(raise_exception=True)
    found = fields.validated_data
    granularities = found.get("timestamp_granularities") or ["segment"]
    return Asked(
        model=found.get("model", "").strip(),
        language=_language(found.get("language", ""), found.get("languages", [])),
        prompt=", ".join(filter(None, [found.get("prompt", ""), *found.get("keywords", [])])),
        response_format=found["response_format"],
        stream=found["stream"],
        wants_words="word" in granularities,
        wants_segments="segment" in granularities,
    )


def _language(language: str, languages: list[str]) -> str:
    """Return the one language that is named; of several, the engines find out which it is."""
    codes = {language_of(name) for name in languages}
    if language:
        return language_of(language)
    return codes.pop() if len(codes) == 1 else ""
