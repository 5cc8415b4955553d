"""Answers that views build by hand, as serializers that nothing but the description uses."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from transcription.api.tokens import TokenSerializer
from transcription.api.transcriptions import TranscriptionDetailSerializer
from transcription.models import Transcription

#: A value that is always null.
ALWAYS_NULL = {"type": "object", "nullable": True, "maxProperties": 0}


@extend_schema_field(ALWAYS_NULL)
class NullField(serializers.Field[Any, Any, Any, Any]):
    """Always null."""


class WordSerializer(serializers.Serializer[Any]):
    """A word and when it is said."""

    word = serializers.CharField()
    start = serializers.FloatField(help_text="Seconds from the beginning of the recording.")
    end = serializers.FloatField()
    probability = serializers.FloatField(
        required=False, allow_null=True, help_text="0 to 1; null where the engine gives none."
    )


class SegmentSerializer(serializers.Serializer[Any]):
    """A stretch of the text with its times."""

    index = serializers.IntegerField()
    start_seconds = serializers.FloatField()
    end_seconds = serializers.FloatField()
    text = serializers.CharField(allow_blank=True)
    language = serializers.CharField(allow_null=True)
    words = WordSerializer(many=True, allow_null=True, help_text="Null where none were asked for.")


class SegmentPageSerializer(serializers.Serializer[Any]):
    """Some of the segments."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = SegmentSerializer(many=True)


class PeaksSerializer(serializers.Serializer[Any]):
    """What a waveform is drawn from."""

    duration_seconds = serializers.FloatField()
    peaks_per_second = serializers.FloatField(help_text="20, or less of a long recording.")
    peaks = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1),
        help_text="The loudest of each stretch, of full scale; at most 20,000.",
    )


class LinksSerializer(serializers.Serializer[Any]):
    """Addresses that belong to a transcription."""

    list = serializers.URLField()
    audio = serializers.URLField(allow_null=True, help_text="Null once the audio is deleted.")
    download = serializers.URLField()
    events = serializers.URLField()
    peaks = serializers.URLField(allow_null=True, help_text="Null once the audio is deleted.")
    segments = serializers.URLField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A class cannot have an attribute called self.
        return {"self": serializers.URLField(), **super().get_fields()}


class LanguageShareSerializer(serializers.Serializer[Any]):
    """How much of the speech is in a language."""

    language = serializers.CharField()
    share = serializers.FloatField(help_text="Of the seconds of speech, 0 to 1.")


@extend_schema_serializer(component_name="TranscriptionDetail")
class FullTranscriptionSerializer(TranscriptionDetailSerializer):
    """A transcription with its text and segments, as far as they are there."""

    languages = LanguageShareSerializer(many=True, read_only=True)
    text = serializers.CharField(read_only=True)
    segments = SegmentSerializer(many=True, read_only=True)
    links = LinksSerializer(read_only=True)

    class Meta(TranscriptionDetailSerializer.Meta):
        fields = [*TranscriptionDetailSerializer.Meta.fields, "text", "segments", "links"]
        read_only_fields = fields


class NewTokenSerializer(TokenSerializer):
    """A token that was just made, with itself."""

    token = serializers.CharField(read_only=True, help_text="Shown here and never again.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class NewBrowserTokenSerializer(serializers.Serializer[Any]):
    """A token that a web page may hold."""

    token = serializers.CharField()
    subject = serializers.CharField()
    expires_at = serializers.DateTimeField()
    expires_in_seconds = serializers.FloatField()


# --- the transcribe route ---------------------------------------------------------------------


class ResultSerializer(serializers.Serializer[Any]):
    """The text of a recording."""

    text = serializers.CharField(allow_blank=True)
    language = serializers.CharField(allow_null=True, help_text="Null: no speech.")
    duration_sec = serializers.FloatField()
    model = serializers.CharField()
    id = serializers.UUIDField()
    languages = LanguageShareSerializer(
        many=True, required=False, help_text="Only where there are several."
    )


class TranscribedSerializer(serializers.Serializer[Any]):
    """The envelope around a text."""

    code = serializers.IntegerField(min_value=0, max_value=0)
    message = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A serializer has a property called data.
        return {**super().get_fields(), "data": ResultSerializer()}


class StandingSerializer(serializers.Serializer[Any]):
    """How far a recording is that is still being recognised."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Transcription.Status.choices)
    progress = serializers.FloatField()
    url = serializers.CharField(help_text="Where to ask again.")
    queue_paused = serializers.BooleanField(help_text="An operator has paused the queue.")


class StillProcessingSerializer(serializers.Serializer[Any]):
    """The envelope of a recording that is still being recognised."""

    code = serializers.IntegerField(min_value=5001, max_value=5001)
    message = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # A serializer has a property called data.
        return {**super().get_fields(), "data": StandingSerializer()}


# --- reload -----------------------------------------------------------------------------------


class ReloadingSerializer(serializers.Serializer[Any]):
    """A reload that was asked for."""

    status = serializers.ChoiceField(choices=["reloading"])
    generation = serializers.IntegerField()
    model = serializers.CharField()
    weights = serializers.CharField(allow_blank=True)
    state = serializers.URLField(help_text="Where to see how far the workers are.")


class WorkerSerializer(serializers.Serializer[Any]):
    """How far one worker is with a model."""

    worker = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    state = serializers.CharField()
    generation_loaded = serializers.IntegerField(allow_null=True)
    loading_since = serializers.CharField(allow_null=True)
    because = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)


class ModelStandingSerializer(serializers.Serializer[Any]):
    """How far the workers are with a model."""

    status = serializers.CharField()
    generation = serializers.IntegerField()
    model = serializers.CharField()
    weights = serializers.CharField(allow_blank=True)
    last_good = serializers.JSONField()
    queue_paused = serializers.BooleanField(help_text="No new work is begun.")
    workers = WorkerSerializer(many=True)


# --- OpenAI's routes --------------------------------------------------------------------------


class OpenAIModelSerializer(serializers.Serializer[Any]):
    """A model that a request may name."""

    id = serializers.CharField()
    object = serializers.ChoiceField(choices=["model"])
    created = serializers.IntegerField()
    owned_by = serializers.CharField()


class OpenAIModelListSerializer(serializers.Serializer[Any]):
    """The models that a request may name."""

    object = serializers.ChoiceField(choices=["list"])

    # A serializer has a property called data.
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "data": OpenAIModelSerializer(many=True)}


class UsageSerializer(serializers.Serializer[Any]):
    """What a transcription is counted by."""

    type = serializers.ChoiceField(choices=["duration"])
    seconds = serializers.FloatField()


class OpenAIWordSerializer(serializers.Serializer[Any]):
    """A word and when it is said."""

    word = serializers.CharField()
    start = serializers.FloatField()
    end = serializers.FloatField()


class OpenAISegmentSerializer(serializers.Serializer[Any]):
    """A stretch of the text; figures that the engine does not give are 0."""

    id = serializers.IntegerField()
    seek = serializers.IntegerField()
    start = serializers.FloatField()
    end = serializers.FloatField()
    text = serializers.CharField(allow_blank=True)
    tokens = serializers.ListField(child=serializers.IntegerField())
    temperature = serializers.FloatField()
    avg_logprob = serializers.FloatField()
    compression_ratio = serializers.FloatField()
    no_speech_prob = serializers.FloatField()


class OpenAITranscriptionSerializer(serializers.Serializer[Any]):
    """The text (json), with its times (verbose_json)."""

    text = serializers.CharField(allow_blank=True)
    usage = UsageSerializer()
    task = serializers.ChoiceField(choices=["transcribe"], required=False)
    language = serializers.CharField(
        required=False, allow_blank=True, help_text="Its English name, in lower case."
    )
    duration = serializers.FloatField(required=False)
    segments = OpenAISegmentSerializer(many=True, required=False)
    words = OpenAIWordSerializer(many=True, required=False)
