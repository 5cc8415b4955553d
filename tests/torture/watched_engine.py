"""The fake engine, watched while it works."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack

from tests.torture.watched import UPLOAD, only_one_at_work_on
from transcription.engines.base import Clip, Result
from transcription.engines.fake import FakeEngine


class WatchedEngine(FakeEngine):
    """Tells when the same chunk of the same upload is being recognised twice at once."""

    def transcribe(self, clips: Sequence[Clip]) -> list[Result]:
        with ExitStack() as at_work:
            for clip in clips:
                upload = UPLOAD.search(clip.context)
                if upload is None:
                    raise AssertionError(f"a clip whose context names no upload: {clip.context!r}")
                digest = hashlib.sha256(clip.samples.tobytes()).hexdigest()[:16]
                at_work.enter_context(only_one_at_work_on(f"{upload.group()} {digest}"))
            return super().transcribe(clips)
