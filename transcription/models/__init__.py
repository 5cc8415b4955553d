"""The rows of the service. The row is the queue: whatever was accepted is one of these."""

from transcription.models.audit import AuditEntry
from transcription.models.chunk import Chunk
from transcription.models.delivery import Delivery
from transcription.models.glossary import GlossaryTerm
from transcription.models.leases import Lease, LeasedWork
from transcription.models.limits import DayUsage, IdempotencyKey, UserLimits
from transcription.models.queue import QueuePause, Throughput
from transcription.models.review_score import ReviewScore
from transcription.models.revision import Presence, Revision
from transcription.models.search_text import SearchText
from transcription.models.segment import Segment
from transcription.models.speech_model import SpeechModel
from transcription.models.tally import Tally
from transcription.models.token import ApiToken
from transcription.models.transcription import Transcription
from transcription.models.webhook import Bot, CallbackSecret, Event, WebhookEndpoint
from transcription.models.worker import Worker

#: What is leased, as it is called where it is counted.
WORK_KINDS: dict[str, type[Chunk] | type[Transcription] | type[Delivery]] = {
    "chunk": Chunk,
    "recording": Transcription,
    "delivery": Delivery,
}

__all__ = [
    "WORK_KINDS",
    "ApiToken",
    "AuditEntry",
    "Bot",
    "CallbackSecret",
    "Chunk",
    "DayUsage",
    "Delivery",
    "Event",
    "GlossaryTerm",
    "IdempotencyKey",
    "Lease",
    "LeasedWork",
    "Presence",
    "QueuePause",
    "ReviewScore",
    "Revision",
    "SearchText",
    "Segment",
    "SpeechModel",
    "Tally",
    "Throughput",
    "Transcription",
    "UserLimits",
    "WebhookEndpoint",
    "Worker",
]
