"""What the scripts of the home page say, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _


def home_words() -> dict[str, str]:
    """Return name -> words; ``{name}`` in them is filled in by the script."""
    return {
        "uploading": _("Sending: {sent} of {total}"),
        "upload_ended": _("Sent. It is being taken in…"),
        "queued": _("Waiting."),
        "queued_before": _("Waiting. Recordings before it: {count}"),
        "processing": _("Being recognised: {percent}"),
        "completed": _("Done."),
        "no_speech": _("Done. There is no speech in it."),
        "failed": _("It failed: {message}"),
        "cancelled": _("Cancelled."),
        "gone": _("It was deleted."),
        "aborted": _("Not sent: you stopped it."),
        "network": _(
            "The service cannot be reached. Check the connection, then try again: nothing is sent "
            "twice."
        ),
        "refused": _("The service refused it: {message}"),
        "unreadable": _(
            "The service answered in a way that this page does not understand ({status})."
        ),
        "logged_out": _("You are logged out. Log in in another window, then try again."),
        "connection_lost": _("The connection is broken. It goes on by itself."),
        "copied": _("Copied."),
        "copy_failed": _("The browser did not let the page copy. Select the text and copy it."),
        "no_microphone_here": _(
            "Browsers let a page use the microphone only over HTTPS or on localhost. Ask the "
            "operator for HTTPS, or choose a file."
        ),
        "microphone_refused": _(
            "The browser does not let this page use the microphone. Allow it beside the address, "
            "then try again."
        ),
        "no_microphone": _("No microphone was found. Plug one in, then try again."),
        "microphone_failed": _("The recording could not be started: {message}"),
        "recording": _("Recording: {time}"),
        "recorded": _("Recorded: {time}. Listen to it, send it or discard it."),
        "recording_ended": _(
            "The microphone was taken away. What was recorded until then is here."
        ),
        "recording_name": _("Recording"),
        "empty_drop": _("That was no file."),
    }
