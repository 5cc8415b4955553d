"""Audio in, tokens out: prompts, features and the loop that writes token after token.

A clip's features and its encoding are computed for it alone, and only the writing is done in a
batch. In a batch, the library's processor pads the waveform before it takes the spectrum, which
changes the last frames of every shorter clip, and with them, now and then, its text. What is
left are last digits: attention over padded rows adds up in another order than over one row.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers.cache_utils import Cache

from transcription.engines.base import Clip, FinishReason
from transcription.engines.qwen3.cache import growing_cache, joined_rows, keep_rows
from transcription.engines.qwen3.checkpoint import DEFAULT_DTYPE_LOCK, Checkpoint
from transcription.engines.qwen3.decisions import loop_penalties, loop_unit, prefill_groups

logger = logging.getLogger(__name__)

#: Looking for a loop at every token would find it no sooner than it matters.
_LOOP_CHECK_TOKENS = 8


@dataclass(frozen=True, kw_only=True)
class Request:
    """One clip as the model is asked about it."""

    clip: Clip
    #: The model's name of the language to write in; None: let it detect.
    language_name: str | None
    #: Most tokens of the answer.
    max_tokens: int
    #: See ``decisions.loop_penalties``; 0: the likeliest token, always.
    loop_penalty: float = 0.0


@dataclass(kw_only=True)
class Answer:
    """What the model wrote for one request, in the making and when it is done."""

    #: Without the token that ended it.
    tokens: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    #: Sum of the natural log-probabilities of the tokens, that of the end included.
    logprob: float = 0.0
    #: The same up to the marker between language and text; None where there was none.
    language_logprob: float | None = None

    @property
    def mean_logprob(self) -> float:
        ended = self.finish_reason == "eos"
        return self.logprob / max(1, len(self.tokens) + ended)

    @property
    def language_probability(self) -> float | None:
        return None if self.language_logprob is None else math.exp(self.language_logprob)


class Recognizer:
    """A loaded checkpoint on its device."""

    def __init__(
        self, checkpoint: Checkpoint, *, device: str, dtype: str, max_context_tokens: int
    ) -> None:
        self.checkpoint = checkpoint
        self.device = torch.device(device)
        #: int8 layers take and give float32.
        self.dtype = torch.float32 if dtype == "int8" else getattr(torch, dtype)
        self.max_context_tokens = max_context_tokens

    @torch.inference_mode()
    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Write the answers to all requests together, the likeliest token each time.

        Raises what torch raises when memory runs out.
        """
        with DEFAULT_DTYPE_LOCK:
            prompts = [self._embedded_prompt(request) for request in requests]
            writing = self.begin(prompts, requests)
            while writing.rows:
                writing.step()
            return writing.answers

    def begin(self, prompts: Sequence[torch.Tensor], requests: Sequence[Request]) -> Writing:
        """Read the prompts; the rows are ready for their first token."""
        return Writing(self.checkpoint, prompts, requests)

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of an answer's tokens, the marker between language and text included."""
        return str(self.checkpoint.processor.tokenizer.decode(tokens, skip_special_tokens=True))

    def _embedded_prompt(self, request: Request) -> torch.Tensor:
        """The prompt with the heard audio in it: shape (tokens, width), in the model's dtype."""
        inputs = self.checkpoint.processor.apply_transcription_request(
            [request.clip.samples],
            language=[request.language_name],
            prompt=[self.clean_context(request.clip.context)],
        )
        model = self.checkpoint.model
        heard = model.get_audio_features(
            inputs["input_features"].to(self.device, self.dtype),
            inputs["input_features_mask"].to(self.device),
        ).pooler_output
        tokens = inputs["input_ids"][0].to(self.device)
        embedded: torch.Tensor = model.get_input_embeddings()(tokens)
        return embedded.masked_scatter(
            (tokens == self.checkpoint.audio_token).unsqueeze(-1), heard.to(embedded.dtype)
        )

    def clean_context(self, context: str) -> str:
        """The context as plain words: no special token, not longer than allowed.

        A context comes from strangers, and ``<|im_end|>`` in it would end its turn.
        """
        tokenizer = self.checkpoint.processor.tokenizer
        for token in tokenizer.get_added_vocab():
            context = context.replace(token, " ")
        context = context.strip()
        tokens = tokenizer(context, add_special_tokens=False).input_ids
        if len(tokens) <= self.max_context_tokens:
            return context
        logger.warning(
            "a context of %d tokens was cut to its first %d", len(tokens), self.max_context_tokens
        )
        kept = tokenizer.decode(tokens[: self.max_context_tokens])
        return str(kept).rstrip("\ufffd")


class Writing:
    """The rows of a batch while their texts are written.

    Where lengths differ, a CPU reads each prompt by itself and joins what it remembers of them,
    so that nothing is computed for padding; a GPU reads them all at once.
    """

    def __init__(
        self, checkpoint: Checkpoint, prompts: Sequence[torch.Tensor], requests: Sequence[Request]
    ) -> None:
        self.checkpoint = checkpoint
        self.language_model = checkpoint.model.get_decoder()
        self.requests = requests
        self.answers = [Answer() for _ in requests]
        #: Indices of the requests that are still being written, in the order of the tensors.
        self.rows = list(range(len(requests)))

        lengths = [len(prompt) for prompt in prompts]
        longest = max(lengths)
        self.padding = [longest - length for length in lengths]
        #: 1 for what may be looked at: int64, shape (rows, tokens so far), padded on the left.
        self.mask = torch.ones((len(prompts), longest), dtype=torch.long, device=prompts[0].device)
        for row, padding in enumerate(self.padding):
            self.mask[row, :padding] = 0
        #: What the last token of every row came to: float, shape (rows, width).
        self.hidden = prompts[0].new_empty((len(prompts), prompts[0].shape[-1]))
        groups = prefill_groups(lengths, together=prompts[0].is_cuda)
        self.cache = joined_rows(
            [(group, self._read(group, prompts)) for group in groups], tokens=longest
        )

    def _read(self, group: Sequence[int], prompts: Sequence[torch.Tensor]) -> Cache:
        """Put the prompts of some rows through the model; their keys and values."""
        longest = max(len(prompts[row]) for row in group)
        inputs = prompts[0].new_zeros((len(group), longest, prompts[0].shape[-1]))
        for place, row in enumerate(group):
            inputs[place, longest - len(prompts[row]) :] = prompts[row]
        cache = growing_cache(self.checkpoint.model.config.text_config.num_hidden_layers)
        mask = self.mask[list(group), -longest:]
        self.hidden[list(group)] = self._forward(inputs, mask, cache)
        return cache

    def _forward(self, inputs: torch.Tensor, mask: torch.Tensor, cache: Cache) -> torch.Tensor:
        """The last hidden states, shape (rows, width), after inputs (rows, new tokens, width)."""
        hidden: torch.Tensor = self.language_model(
            inputs_embeds=inputs,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0)[:, -inputs.shape[1] :],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        return hidden

    def step(self) -> None:
        """Write one token more in every row, and leave the rows that are done."""
        logits = self.checkpoint.model.lm_head(self.hidden).float()
        logprobs = logits.log_softmax(-1)
        self._penalise_loops(logits)
        chosen = logits.argmax(-1)
        chosen_logprobs = logprobs.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)

        kept = [
            place
            for place, (row, token, logprob) in enumerate(
                zip(self.rows, chosen.tolist(), chosen_logprobs.tolist(), strict=True)
            )
            if not self.write(row, token, logprob)
        ]
        if len(kept) < len(self.rows):
            chosen = self._leave(kept, chosen)
        if self.rows:
            inputs = self.checkpoint.model.get_input_embeddings()(chosen.unsqueeze(-1))
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=-1)
            self.hidden = self._forward(inputs, self.mask, self.cache)

    def _penalise_loops(self, logits: torch.Tensor) -> None:
        """Take from the logits, in place, what going on with a loop costs."""
        for place, row in enumerate(self.rows):
            penalty = self.requests[row].loop_penalty
            if penalty and self.answers[row].tokens:
                found = loop_penalties(self.answers[row].tokens, penalty=penalty)
                for token, amount in found.items():
                    logits[place, token] -= amount

    def write(self, row: int, token: int, logprob: float) -> bool:
        """Add the token to the answer; whether the answer is done."""
        answer, request = self.answers[row], self.requests[row]
        answer.logprob += logprob
        if token in self.checkpoint.end_tokens:
            answer.finish_reason = "repetition" if loop_unit(answer.tokens) else "eos"
            return True
        answer.tokens.append(token)
        if token == self.checkpoint.marker_token and answer.language_logprob is None:
            answer.language_logprob = answer.logprob
        if len(answer.tokens) % _LOOP_CHECK_TOKENS == 0 and loop_unit(answer.tokens):
            answer.finish_reason = "repetition"
        elif len(answer.tokens) >= request.max_tokens:
            answer.finish_reason = "repetition" if loop_unit(answer.tokens) else "length"
        return answer.finish_reason is not None

    def _leave(self, kept: list[int], chosen: torch.Tensor) -> torch.Tensor:
        """Go on with the rows at these places alone, without padding that none of them needs."""
        self.rows = [self.rows[place] for place in kept]
        self.padding = [self.padding[place] for place in kept]
        if not self.rows:
            return chosen
        drop = min(self.padding)
        self.padding = [padding - drop for padding in self.padding]
        places = torch.tensor(kept, device=chosen.device)
        keep_rows(self.cache, places, drop_tokens=drop)
        self.mask = self.mask[places, drop:]
        return chosen[places]
