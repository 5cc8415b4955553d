"""What the scripts of the reviewing page say, in the language of the person."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext_lazy as _

register = template.Library()

#: Name -> words; {placeholders} are filled in by the scripts (``review/words.js``).
WORDS = {
    # the rows
    "play_from": _("Play from {time}"),
    "text_from": _("Text from {time}"),
    "doubtful": _("The machine was not sure of: {words}"),
    "doubtful_here": _("Not sure of: {word}"),
    "doubtful_none": _("There is no doubtful word left."),
    "split_nothing": _("Nothing is split: put the cursor between two words of a sentence."),
    "merge_nothing": _("There is no sentence to merge with."),
    "times_set": _("The sentence now lasts from {start} to {end}."),
    "times_impossible": _(
        "A sentence must end after it begins, and must not reach into its neighbours."
    ),
    "undo_nothing": _("There is nothing to undo or to do again."),
    "undo_changed": _("This cannot be undone: somebody has changed the sentence meanwhile."),
    # the sound
    "time_of": _("{time} of {duration}"),
    "speed": _("Speed {speed}"),
    "no_waveform": _("There is no waveform of this recording."),
    "waveform_failed": _("The waveform could not be loaded. The sound plays without it."),
    "format_not_played": _(
        "This browser cannot play the recording: it may not know its format. You can still "
        "review the text, and hear the recording in another program."
    ),
    "download_sound": _("Download the recording"),
    "sound_not_loaded": _("The sound could not be loaded. Load the page again."),
    # what is saved
    "state_saved": _("All changes are saved."),
    "state_waiting": _("Not saved yet…"),
    "state_sending": _("Saving…"),
    "state_offline": _(
        "Not saved: the service cannot be reached. Your changes are kept on this computer; "
        "trying again in {seconds} s."
    ),
    "state_login": _("You are logged out. Log in again: nothing is lost."),
    "state_approved": _("Not saved: the text is approved. Reopen it to save your changes."),
    "state_gone": _(
        "Not saved: this transcription is no longer there. Copy your text before you leave."
    ),
    "state_unkept": _(
        "This browser cannot keep unsaved text. Do not close the page before all is saved."
    ),
    "state_conflict": _("Some of your text waits for your decision."),
    "told_offline": _(
        "The service cannot be reached. Your changes are kept on this computer and sent later."
    ),
    "told_login": _("You are logged out. Log in again: nothing is lost."),
    "told_approved": _("The text is approved. Reopen it to change it."),
    "told_gone": _("This transcription is no longer there."),
    "told_unkept": _("This browser cannot keep unsaved text."),
    "told_conflict": _("Some of your text waits for your decision."),
    "log_in": _("Log in"),
    "away": _("The service cannot be reached. Check the connection, then load the page again."),
    "not_opened": _("The text could not be opened: {message}"),
    "no_text": _("There is no text: nobody speaks in this recording."),
    "recovered": _("Changes that were not saved last time are back and are being saved."),
    "not_applied": _(
        "A change of yours could not be made: somebody has changed the sentence meanwhile."
    ),
    "refused": _("A change was refused: {message}"),
    "discard": _("Discard"),
    "lost_told": _("The sentence of a text of yours is gone. The text is kept above."),
    # others
    "people": _("Also here: {names}"),
    "somebody": _("somebody"),
    "conflict": _("{author} has changed this sentence meanwhile {time}:"),
    "conflict_here": _("{author} has changed a sentence that you are changing. Decide below it."),
    "conflict_yours": _("Your own text is the one above. Nothing is overwritten until you decide."),
    "keep_mine": _("Keep mine"),
    "take_theirs": _("Take theirs"),
    # find and replace
    "found": _("{n} found"),
    "found_at": _("{at} of {n}"),
    "replaced": _("{n} replaced."),
    "replace_waits": _("Not replaced: your changes must be saved first. Try again then."),
    # how far the review is
    "review_unreviewed": _("Not reviewed"),
    "review_in_review": _("In review"),
    "review_approved": _("Approved"),
    "approve_waits": _("Not approved: your changes must be saved first. Try again then."),
    "state_waits": _("The service cannot be reached. Try again later."),
    # the history
    "machine_text": _("The machine's text"),
    "revision": _("{time}, {author}: {kind} ({n})"),
    "kind_edit": _("text changed"),
    "kind_split": _("split"),
    "kind_merge": _("merged"),
    "kind_times": _("times changed"),
    "kind_replace": _("words replaced"),
    "kind_restore": _("earlier text restored"),
    "no_difference": _("There is no difference."),
    "restore_waits": _("Not restored: your changes must be saved first. Try again then."),
    "restored": _("The earlier text is back."),
    # the keys
    "or": _(" or "),
    "in_text_split": _("{key} in the text"),
    "in_text_merge_previous": _("{key} at the start of a sentence"),
    "in_text_merge_next": _("{key} at the end of a sentence"),
    "key_play_pause": _("Play or pause"),
    "key_back": _("Back 3 seconds"),
    "key_forward": _("Forward 3 seconds"),
    "key_again": _("Play this sentence again"),
    "key_next": _("Next sentence"),
    "key_previous": _("Previous sentence"),
    "key_slower": _("Slower"),
    "key_faster": _("Faster"),
    "key_follow": _("Follow the sound again"),
    "key_doubtful": _("Next doubtful word"),
    "key_split": _("Split the sentence at the cursor"),
    "key_merge_next": _("Merge with the next sentence"),
    "key_merge_previous": _("Merge with the previous sentence"),
    "key_start_here": _("The sentence begins where the sound is"),
    "key_end_here": _("The sentence ends where the sound is"),
    "key_times": _("Set the times of the sentence"),
    "key_find": _("Find and replace"),
    "key_undo": _("Undo"),
    "key_redo": _("Do again"),
    "key_save": _("Save now"),
    "key_begin": _("Begin the review"),
    "key_approve": _("Approve"),
    "key_reopen": _("Reopen"),
    "key_history": _("History"),
    "key_keep_mine": _("After a conflict: keep my text"),
    "key_take_theirs": _("After a conflict: take the other text"),
    "key_help": _("This help"),
}


@register.simple_tag
def review_words() -> dict[str, str]:
    """Return them in the language that is active."""
    return {name: str(words) for name, words in WORDS.items()}
