"""Keys and values of the tokens so far, in memory that grows in strides.

transformers' own dynamic cache copies all of it for every token: with eight clips of 30 s on
the 0.6B model that is a gigabyte a token, more than the weights themselves.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

#: So many tokens find room between one copy and the next.
_STRIDE_TOKENS = 128


class GrowingLayer(DynamicLayer):
    """One layer's keys and values, shape (clips, heads, tokens, width): views of larger memory."""

    #: Keeps transformers from taking this class for every model's cache.
    _layer_type = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._key_room: torch.Tensor | None = None
        self._value_room: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new tokens; keys and values of all tokens so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        before = int(self.get_seq_length())
        after = before + key_states.shape[-2]
        if self._key_room is None or self._value_room is None or after > self._key_room.shape[-2]:
            self._key_room = _grown(key_states, self.keys, before, after)
            self._value_room = _grown(value_states, self.values, before, after)
        self._key_room[:, :, before:after] = key_states
        self._value_room[:, :, before:after] = value_states
        self.keys = self._key_room[:, :, :after]
        self.values = self._value_room[:, :, :after]
        return self.keys, self.values

    def keep(self, rows: torch.Tensor, *, drop_tokens: int) -> None:
        """Go on with some clips alone, without the first ``drop_tokens`` tokens of padding."""
        if self.keys is None or self.values is None:
            return
        self.keys = self.keys[rows, :, drop_tokens:]
        self.values = self.values[rows, :, drop_tokens:]
        # The copies have no room to spare; the next token makes some.
        self._key_room = self._value_room = None


def growing_cache(layers: int) -> Cache:
    """An empty cache for a model of so many layers."""
    return Cache(layers=[GrowingLayer() for _ in range(layers)])


def keep_rows(cache: Cache, rows: torch.Tensor, *, drop_tokens: int) -> None:
    """Go on with some clips alone; ``rows`` is int64, shape (clips to keep,)."""
    for layer in cache.layers:
        assert isinstance(layer, GrowingLayer)
        layer.keep(rows, drop_tokens=drop_tokens)


def _grown(new: torch.Tensor, old: torch.Tensor | None, before: int, after: int) -> torch.Tensor:
    """Room for ``after`` tokens and a stride more, with the ``before`` old ones in it."""
    clips, heads, _, width = new.shape
    room = new.new_empty((clips, heads, after + _STRIDE_TOKENS, width))
    if old is not None and before:
        room[:, :, :before] = old
    return room
