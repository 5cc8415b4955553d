"""Every error that a caller can meet: a stable code, its number, its HTTP status, its words.

The code is for programs, the number is the ``code`` of the transcribe route's envelope, the words
say what is wrong and what to do. Codes and numbers are never reused or changed; both are
documented in docs/errors.md, which a test compares with this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

if TYPE_CHECKING:
    from transcription.models import Transcription


@dataclass(frozen=True, kw_only=True)
class ErrorKind:
    """One row of the table."""

    code: str
    number: int
    #: Of HTTP; 0 for what only a command meets.
    status: int
    #: English words; translated when they are shown. ``{name}`` is filled from the details.
    words: str


def _kind(number: int, status: int, code: str, words: str) -> ErrorKind:
    return ErrorKind(code=code, number=number, status=status, words=words)


_T = gettext_noop
_KINDS = [
    # 1…: who asks, and how
    _kind(1001, 401, "authentication_required", _T(
        "No token was sent. Send the header 'Authorization: Token …' with a token of yours.")),
    _kind(1002, 401, "invalid_token", _T(
        "The token is unknown, revoked or expired. Create a new one and send that.")),
    _kind(1003, 403, "permission_denied", _T(
        "This token or account may not do that. Use one with the scope that it needs.")),
    _kind(1004, 404, "not_found", _T(
        "There is nothing at this address. Check the path and the id.")),
    _kind(1005, 405, "method_not_allowed", _T(
        "This address does not answer to this method. See the API page for those that it does.")),
    _kind(1006, 429, "rate_limited", _T(
        "Too many requests. Wait for the seconds in the Retry-After header, then try again.")),
    _kind(1007, 415, "unsupported_media_type", _T(
        "The body has a content type that this address does not read. "
        "Send the file as multipart/form-data in the field 'file'.")),
    _kind(1008, 400, "malformed_request", _T(
        "The request could not be read. Check that the body is complete and well-formed.")),
    _kind(1009, 406, "not_acceptable", _T(
        "The answer cannot be given in the format that the Accept header asks for. Ask for JSON.")),
    _kind(1010, 400, "invalid", _T("A field has a value that is not accepted: {detail}")),
    _kind(1011, 403, "csrf_failed", _T(
        "The session cookie came without its CSRF token. "
        "Send the header X-CSRFToken, or use an API token instead of the session.")),
    _kind(1031, 422, "idempotency_conflict", _T(
        "This Idempotency-Key was used for another recording or with other fields. "
        "Send a new key with each new request.")),
    _kind(1032, 410, "idempotency_deleted", _T(
        "The transcription that this Idempotency-Key made was deleted. "
        "Send the recording under a new key to have it recognised again.")),
    _kind(1033, 403, "origin_not_allowed", _T(
        "Pages of {origin} may not send recordings here without a token. "
        "The operator can add the origin to ASR_CORS_ORIGINS.")),
    _kind(1034, 403, "browser_token_limited", _T(
        "A browser token sends in recordings and reads their results, and nothing else. "
        "Use an API token.")),
    _kind(1041, 429, "too_many_jobs", _T(
        "{limit} recordings of yours are waiting or being worked on, and more are not allowed. "
        "Wait until some of them are over.")),
    _kind(1042, 403, "storage_quota_used", _T(
        "Your stored recordings would take more than {limit}. Delete some that are over, "
        "or ask the operator for more.")),
    _kind(1043, 429, "daily_quota_used", _T(
        "Today's {limit} minutes of audio are used up. Wait for the seconds in the Retry-After "
        "header, or ask the operator for more.")),
    # 2…: the upload
    _kind(2001, 400, "file_missing", _T(
        "No file was sent. Send it as multipart/form-data in the field 'file'.")),
    _kind(2002, 400, "empty_file", _T(
        "The file is empty. Check that the recording was saved before it was sent.")),
    _kind(2003, 413, "body_too_large", _T(
        "The request is larger than {limit}. Send a shorter or more compressed recording.")),
    _kind(2004, 400, "unknown_language", _T(
        "The language '{value}' is not known. Send a code such as 'zh' or 'en', or leave it out.")),
    _kind(2005, 400, "unknown_model", _T(
        "The model '{value}' is not available. Available: {available}. Or leave it out.")),
    _kind(2006, 400, "prompt_too_long", _T(
        "The prompt has more than {limit} characters. Keep to the names and terms that matter.")),
    _kind(2007, 507, "storage_full", _T(
        "The service's disk is nearly full, so the file was not accepted. "
        "Tell the operator, and try again later.")),
    _kind(2008, 413, "body_too_large_without_token", _T(
        "Without a valid token a request may be no larger than {limit}. "
        "Send the header 'Authorization: Token …' with a token of yours.")),
    _kind(2009, 413, "no_upload_here", _T(
        "This address takes no file: a request to it may be no larger than {limit}. "
        "Check the path.")),
    _kind(2041, 422, "polish_model_unavailable", _T(
        "The punctuation model is not installed. Leave 'polish' out or send 'rules'; "
        "the operator can fetch the model with: python manage.py fetch_model {name}")),
    _kind(2031, 422, "words_unavailable", _T(
        "There are no times of single words: the model '{model}' gives none. Leave out 'words', "
        "or have the operator fetch the forced aligner (manage.py fetch_model "
        "qwen3-forced-aligner) and reload the model.")),
    _kind(2021, 400, "no_word_times", _T(
        "There are no times of single words for this recording: the model '{model}' gives none. "
        "Leave 'word' out of timestamp_granularities, or ask for another model.")),
    _kind(2022, 400, "no_speakers", _T(
        "This service does not tell speakers apart. "
        "Leave out known_speaker_names and known_speaker_references, and ask for "
        "the response_format json, text, srt, vtt or verbose_json.")),
    # 2051 to 2069: the review
    _kind(2051, 409, "not_reviewable", _T(
        "There is no finished text to review: the transcription is {status}. "
        "Wait until it is completed.")),
    _kind(2052, 409, "review_approved", _T(
        "This text is approved and cannot be changed. Reopen it first: set it to 'in_review'.")),
    _kind(2053, 409, "review_conflict", _T(
        "Somebody has changed this passage meanwhile, so nothing was saved. "
        "Look at the text as it is now, then make your change again.")),
    _kind(2054, 404, "segment_unknown", _T(
        "The transcription has no segment {id}. Load the review again.")),
    _kind(2055, 400, "too_many_operations", _T(
        "{count} operations are too many for one request. Send no more than {limit} at a time.")),
    _kind(2056, 400, "segment_text_too_long", _T(
        "A segment may have no more than {limit} characters. Split it first.")),
    _kind(2057, 400, "split_outside_text", _T(
        "The text can be split between its first and its last character only. "
        "Put the cursor inside the text.")),
    _kind(2058, 400, "nothing_to_merge", _T(
        "The last segment has none behind it to merge with. Choose the one before it.")),
    _kind(2059, 400, "times_not_possible", _T(
        "A segment must begin before it ends, and lie between its neighbours: "
        "from {earliest} to {latest} seconds.")),
    _kind(2060, 409, "retry_would_lose_review", _T(
        "People have corrected this text, and recognising the recording again would throw their "
        "work away. Send the recording in again as a new one.")),
    # 2071 to 2079: the glossary
    _kind(2071, 403, "glossary_not_yours", _T(
        "This term is for everybody. Staff with the permission may change it; "
        "enter a term of your own instead.")),
    _kind(2072, 400, "glossary_term_invalid", _T(
        "A term is one line with letters or digits and no more than {limit} characters.")),
    _kind(2073, 409, "glossary_term_there", _T(
        "The term '{value}' is in this glossary already. Change that one instead.")),
    _kind(2074, 409, "glossary_full", _T(
        "There are {limit} terms in this glossary, which is the most. "
        "Delete those that nobody says any more.")),
    # 3…: the recording
    _kind(3001, 415, "not_audio", _T(
        "The file is not a recording that can be read. "
        "Send WAV, MP3, M4A, OGG, FLAC, WebM, AAC, Opus, AMR or a video with sound.")),
    _kind(3002, 422, "no_audio_track", _T(
        "The file has no sound track. Check the recording and send one with sound.")),
    _kind(3003, 422, "audio_too_short", _T(
        "The recording is shorter than a tenth of a second. Record for longer.")),
    _kind(3004, 422, "audio_too_long", _T(
        "The recording is longer than {limit}. Cut it into parts and send them one by one.")),
    _kind(3005, 422, "damaged_audio", _T(
        "Nothing in the file could be decoded. It may be cut off or damaged: send it again.")),
    _kind(3006, 422, "decode_timeout", _T(
        "Decoding the file took too long. Convert it to WAV, FLAC or MP3 and send that.")),
    _kind(3007, 422, "decode_out_of_memory", _T(
        "Decoding the file needs too much memory. Convert it to WAV, FLAC or MP3 and send that.")),
    _kind(3008, 422, "decoder_crashed", _T(
        "The decoder broke on this file. Convert it to WAV, FLAC or MP3 and send that.")),
    # 4…: the work
    _kind(4001, 500, "worker_crashed", _T(
        "The worker broke on this recording several times. The recording is kept: "
        "retry it, and tell the operator if it fails again.")),
    _kind(4002, 500, "recognition_failed", _T(
        "No part of the recording could be recognised. The recording is kept: "
        "retry it, and tell the operator if it fails again.")),
    _kind(4003, 503, "model_unavailable", _T(
        "No model is ready to recognise this recording. Tell the operator; "
        "a recording that was accepted is kept and goes on by itself.")),
    _kind(4004, 409, "cancelled", _T("The transcription was cancelled. Send the file again.")),
    _kind(4005, 500, "recording_missing", _T(
        "The stored recording is no longer there. Send the file again.")),
    _kind(4006, 409, "wrong_status", _T(
        "That is not possible while the transcription is {status}.")),
    _kind(4007, 409, "deletion_under_way", _T(
        "The recording is being deleted, since its time is over or somebody asked for it. Send "
        "the file again.")),
    _kind(4021, 503, "wait_ended", _T(
        "The recording is accepted and still being recognised; its text will be at {url}. "
        "A client of the OpenAI libraries that repeats the request waits on.")),
    _kind(4051, 404, "peaks_missing", _T(
        "There is no waveform of this recording: it is still being decoded, or was recognised "
        "before waveforms were kept. It plays without one.")),
    # 5…: the service
    _kind(5001, 202, "still_processing", _T(
        "The recording is accepted and still being recognised. "
        "Ask again at the link for the result; do not send it again.")),
    _kind(5002, 503, "service_unavailable", _T(
        "The service cannot work at the moment. Wait for the seconds in the Retry-After header, "
        "then try again.")),
    _kind(5003, 500, "internal_error", _T(
        "The service made a mistake. Tell the operator the request id {request_id}.")),
    # 6…: what an operator asks for
    _kind(6001, 400, "model_not_named", _T(
        "There are several models. Name one in the field 'model': {available}.")),
    _kind(6002, 400, "weights_not_allowed", _T(
        "Weights may not be loaded from '{value}'. Name a directory below {allowed}.")),
    _kind(6003, 400, "weights_not_found", _T(
        "There is no directory of weights at '{value}'. Put the files there first "
        "(manage.py fetch_model NAME).")),
    # 7…: files of a command (manage.py transcribe, evaluate); nothing of HTTP
    _kind(7001, 0, "file_not_found", _T("There is no such file. Check the path.")),
    _kind(7002, 0, "file_not_readable", _T(
        "The file cannot be read: {detail}. Check its permissions and its disk.")),
    _kind(7003, 0, "not_a_file", _T(
        "That is a folder, or no plain file. Name the files in it, as FOLDER/*.wav.")),
    _kind(7004, 0, "output_exists", _T(
        "{name} is there already. Add --overwrite to replace it, or write elsewhere.")),
    _kind(7005, 0, "output_not_writable", _T(
        "{name} cannot be written: {detail}. Check the folder, its permissions and its disk.")),
    # 8…: webhooks and bots; from 8101, why a message did not arrive
    _kind(8001, 400, "address_not_allowed", _T(
        "The service does not call this address: {detail}")),
    _kind(8002, 409, "too_many_endpoints", _T(
        "You have {limit} webhook endpoints, which is the most. Delete one that is not used.")),
    _kind(8003, 409, "endpoint_off", _T(
        "This receiver is switched off. Switch it on first.")),
    _kind(8004, 409, "delivery_under_way", _T(
        "This message is still on its way. Wait until it has arrived or failed.")),
    _kind(8005, 409, "too_many_tests", _T(
        "{limit} test messages to this receiver wait already. See what became of them first.")),
    _kind(8101, 502, "receiver_unreachable", _T(
        "The receiver could not be reached. Check its address, its certificate and its network.")),
    _kind(8102, 504, "receiver_timeout", _T(
        "The receiver did not answer in time. Have it answer first and work afterwards.")),
    _kind(8103, 502, "receiver_refused", _T(
        "The receiver refused the message with status {status}. Check its address and its "
        "secret, then replay the message.")),
    _kind(8104, 502, "receiver_failed", _T(
        "The receiver could not take the message: status {status}.")),
    _kind(8105, 502, "receiver_gone", _T(
        "The receiver says that it is gone (410), so it was switched off.")),
    _kind(8106, 502, "robot_refused", _T(
        "The robot's platform refused the message: {answer}")),
    _kind(8107, 502, "robot_unreadable", _T(
        "The robot's address answered in a way that its platform does not. Check the address.")),
    _kind(8108, 502, "apprise_failed", _T(
        "Apprise could not send the message. Check the address; the log says more.")),
    _kind(8109, 500, "secret_unreadable", _T(
        "The stored secret cannot be read, since ASR_SECRET_KEY has changed. "
        "Enter it anew, or make a new one.")),
]  # fmt: skip

ERRORS: dict[str, ErrorKind] = {kind.code: kind for kind in _KINDS}


class ServiceError(Exception):
    """A refusal or failure that the caller is told, by its stable code."""

    #: What a program needs besides the words, as JSON; None: nothing.
    data: dict[str, object] | None = None

    def __init__(self, code: str, **details: object) -> None:
        self.kind = ERRORS[code]
        self.details = details
        super().__init__(self.kind.words.format_map(_Details(details)))

    @property
    def code(self) -> str:
        return self.kind.code

    def words(self) -> str:
        """Return the message in the language that is active now."""
        return message_of(self.code, **self.details)


class _Details(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def message_of(code: str, **details: object) -> str:
    """Return the words of an error in the language that is active now."""
    return str(_(ERRORS[code].words)).format_map(_Details(details))


def error_message(row: Transcription) -> str:
    """Return what went wrong with a transcription, in the language that is active now.

    A worker wrote the code and what its words are filled with. Without that (a row of an older
    version) the English words stand as they were written.
    """
    if row.error_code not in ERRORS:
        return row.error_message
    details = row.error_details or {}
    words = ERRORS[row.error_code].words
    if words.format_map(_Details(details)) == words and "{" in words:
        return row.error_message
    return message_of(row.error_code, **details)


def delivery_error_message(code: str, **details: object) -> str:
    """Return why a message did not arrive; a code of an older version is its own message."""
    return message_of(code, **details) if code in ERRORS else code
