"""Keys and values of the tokens so far, in memory that grows in strides.

transformers' own dynamic cache copies all of it for every token: with eight clips of 30 s on
the 0.6B model that is a gigabyte a token, more than the weights themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

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

    @classmethod
    def joined(
        cls, parts: Sequence[tuple[Sequence[int], GrowingLayer]], *, tokens: int
    ) -> GrowingLayer:
        """One layer of the rows of several; see ``joined_rows``."""
        layer = cls()
        clips = sum(len(rows) for rows, _ in parts)
        for rows, part in parts:
            assert part.keys is not None
            assert part.values is not None
            if layer._key_room is None or layer._value_room is None:
                layer.lazy_initialization(part.keys, part.values)
                heads, width = part.keys.shape[1], part.keys.shape[-1]
                shape = (clips, heads, tokens + _STRIDE_TOKENS, width)
                layer._key_room = part.keys.new_empty(shape)
                layer._value_room = part.values.new_empty(shape)
            places = torch.tensor(rows, device=part.keys.device)
            before = tokens - part.keys.shape[-2]
            # What padding holds is multiplied by 0, and so must be a number.
            layer._key_room[places, :, :before] = 0
            layer._value_room[places, :, :before] = 0
            layer._key_room[places, :, before:tokens] = part.keys
            layer._value_room[places, :, before:tokens] = part.values
        assert layer._key_room is not None
        assert layer._value_room is not None
        layer.keys = layer._key_room[:, :, :tokens]
        layer.values = layer._value_room[:, :, :tokens]
        return layer


def growing_cache(layers: int) -> Cache:
    """An empty cache for a model of so many layers."""
    return Cache(layers=[GrowingLayer() for _ in range(layers)])


def joined_rows(parts: Sequence[tuple[Sequence[int], Cache]], *, tokens: int) -> Cache:
    """The cache of a batch, padded on the left to so many tokens, out of those of its parts.

    Each part comes with the places of its clips in the batch. The parts are used up: beside the
    new cache, at most one layer of them is kept.
    """
    if len(parts) == 1:
        return parts[0][1]
    layers: list[Any] = []
    for number in range(len(parts[0][1].layers)):
        layers.append(
            GrowingLayer.joined(
                [(rows, cast(GrowingLayer, cache.layers[number])) for rows, cache in parts],
                tokens=tokens,
            )
        )
        for _, cache in parts:
            cache.layers[number] = GrowingLayer()
    return Cache(layers=layers)


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
