"""Letting go of memory that a failed or an ended computation held."""

from __future__ import annotations

import gc
import importlib
import traceback


def forget_frames(error: BaseException | None) -> None:
    """Drop the local variables that an error's traceback holds, half-loaded models among them."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def give_back_memory() -> None:
    """Let go of what nobody refers to any more, on the device too."""
    gc.collect()
    torch = importlib.import_module("torch")
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
