"""The punctuation model of this worker process: loaded on its first need, once."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from transcription.punctuation.model import PunctuationModel

logger = logging.getLogger(__name__)

_loading = threading.Lock()


def punctuation_model() -> PunctuationModel:
    """Return the model that the settings name.

    Raises ``PunctuationModelError``; a model that could not be loaded is tried again at the next
    call, so that fetching it is enough.
    """
    with _loading:
        return _load(settings.WEIGHTS_DIR / settings.PUNCTUATION_MODEL, os.getpid())


@lru_cache(maxsize=1)
def _load(folder: Path, process_id: int) -> PunctuationModel:
    """Load it: some 200 MB, which a process that polishes nothing with it does not spend."""
    # numpy, onnxruntime and the tokenizer: not for those who only import this.
    from transcription.punctuation.model import PunctuationModel

    started = time.monotonic()
    model = PunctuationModel(folder)
    logger.info(
        "The punctuation model %s is loaded: %.1f s.", folder.name, time.monotonic() - started
    )
    return model
