"""Train the tiny Qwen3-ASR checkpoints that the tests recognise with.

    train="nice python -m tools.tiny_qwen3_asr.train"
    $train A1 --lesson first --steps 1400
    $train A2 --start-from A1 --lesson second --steps 1600 --first-clip 100000 --learning-rate 1e-3
    $train A3 --start-from A2 --lesson third --steps 1600 --first-clip 200000 --learning-rate 1e-3
    $train A4 --start-from A3 --lesson third --steps 2000 --first-clip 400000 --learning-rate 7e-4
    $train tests/engines/tiny-qwen3-asr --start-from A4 --lesson fourth --steps 1000 \
        --first-clip 600000 --learning-rate 5e-4

    $train B3 --lexicon b --start-from A2 --lesson third --steps 1600 --first-clip 300000 \
        --learning-rate 1e-3
    $train B4 --lexicon b --start-from B3 --lesson third --steps 2000 --first-clip 500000 \
        --learning-rate 8e-4
    $train B5 --lexicon b --start-from B4 --lesson fourth --steps 1000 --first-clip 700000 \
        --learning-rate 5e-4
    $train B6 --lexicon b --start-from B5 --lesson fourth --steps 400 --first-clip 800000 \
        --learning-rate 3e-4
    $train tests/engines/tiny-qwen3-asr-b --lexicon b --start-from B6 --lesson fourth --steps 800 \
        --first-clip 900000 --learning-rate 5e-4

A run that was interrupted goes on where it was when the same command is given again.

Deterministic for a given version of torch and of the processor; some five minutes a run on a
quiet core.
Ends by recognising 200 clips that were held out, and fails if one of them is not exactly right,
so that no checkpoint gets into the repository that the tests cannot lean on.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor

from tests.engines.tone_words import (
    FIRST_LESSON,
    FOURTH_LESSON,
    LEXICON_A,
    LEXICON_B,
    SECOND_LESSON,
    THIRD_LESSON,
    Lesson,
    Lexicon,
    ToneClip,
    held_out,
)
from tests.engines.tone_words import training_clip as make_training_clip
from tools.tiny_qwen3_asr.checkpoint import make_model, make_processor, save
from tools.tiny_qwen3_asr.progress import Progress

logger = logging.getLogger("tiny_qwen3_asr")

LEXICONS = {"a": LEXICON_A, "b": LEXICON_B}
LESSONS = {
    "first": FIRST_LESSON,
    "second": SECOND_LESSON,
    "third": THIRD_LESSON,
    "fourth": FOURTH_LESSON,
}
LANGUAGE_NAMES = {"en": "English", "zh": "Chinese", None: "None"}
CLIPS_PER_STEP = 16
#: Up to the step of the first number, clips have at most so many words: with one word there is
#: nothing to look for but the word, and where to look for the next one is learnt from there.
CURRICULUM = ((120, 1), (260, 2), (420, 4), (650, 8))
HELD_OUT_CLIPS = 200
WARM_UP_STEPS = 60
STEPS_SORTED_TOGETHER = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the folder, measure; 0 if every held-out clip is right."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    lexicon = LEXICONS[options.lexicon]
    if options.start_from:
        processor = Qwen3ASRProcessor.from_pretrained(options.start_from)
        model = Qwen3ASRForConditionalGeneration.from_pretrained(
            options.start_from, dtype=torch.float32
        )
    else:
        processor = make_processor()
        model = make_model(processor)
    logger.info("%d parameters", sum(weight.numel() for weight in model.parameters()))
    train(
        model,
        processor,
        lexicon=lexicon,
        steps=options.steps,
        first_clip=options.first_clip,
        lesson=LESSONS[options.lesson],
        curriculum=() if options.start_from else CURRICULUM,
        learning_rate=options.learning_rate,
        progress=options.folder.with_suffix(".progress"),
    )
    save(model, processor, options.folder)

    # What is measured is what was written: float16 weights, read back.
    model = Qwen3ASRForConditionalGeneration.from_pretrained(options.folder, dtype=torch.float32)
    wrong = [
        (clip, answer)
        for clip in held_out(HELD_OUT_CLIPS, lexicon=lexicon)
        if (answer := recognise(model, processor, clip)) != expected_answer(clip)
    ]
    for clip, answer in wrong:
        logger.info("%.1f s: %r, but it is %r", clip.duration_seconds, answer, clip.text)
    logger.info("%d of %d held-out clips right", HELD_OUT_CLIPS - len(wrong), HELD_OUT_CLIPS)
    return 1 if wrong else 0


def train(
    model: Qwen3ASRForConditionalGeneration,
    processor: Qwen3ASRProcessor,
    *,
    lexicon: Lexicon,
    steps: int,
    first_clip: int,
    lesson: Lesson,
    curriculum: Sequence[tuple[int, int]],
    learning_rate: float,
    progress: Path,
) -> None:
    """Teach the model ``steps`` times ``CLIPS_PER_STEP`` clips, in place.

    The state is kept in the file ``progress``: a training that was interrupted goes on from
    there and comes to the same weights. The file is deleted at the end.
    """
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, steps=steps)
    )
    started = time.monotonic()
    losses: list[float] = []
    keeping = Progress(path=progress, model=model, optimizer=optimizer, schedule=schedule)
    if done := keeping.resume():
        logger.info("going on after step %d", done)
    batches = _batches(processor, lexicon, lesson, curriculum, steps, first_clip, done=done)
    for step, batch in enumerate(batches, start=done + 1):
        loss = model(**batch).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            mean = sum(losses) / len(losses)
            logger.info("step %d: loss %.4f, %.0f s", step, mean, time.monotonic() - started)
            losses.clear()
        keeping.save(step)
    keeping.over()
    model.eval()


def learning_rate_factor(step: int, *, steps: int) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < WARM_UP_STEPS:
        return (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def _batches(
    processor: Qwen3ASRProcessor,
    lexicon: Lexicon,
    lesson: Lesson,
    curriculum: Sequence[tuple[int, int]],
    steps: int,
    first_clip: int,
    *,
    done: int,
) -> Iterator[dict[str, torch.Tensor]]:
    """Clips of similar length together, some steps' worth sorted at a time."""
    next_clip = first_clip + done * CLIPS_PER_STEP
    together = STEPS_SORTED_TOGETHER
    for first_step in range(done, steps, together):
        words = next((words for step, words in curriculum if first_step < step), lesson.max_words)
        count = min(together, steps - first_step) * CLIPS_PER_STEP
        clips = [
            make_training_clip(index, lexicon=lexicon, lesson=replace(lesson, max_words=words))
            for index in range(next_clip, next_clip + count)
        ]
        next_clip += count
        clips.sort(key=lambda clip: len(clip.samples))
        groups = [clips[at : at + CLIPS_PER_STEP] for at in range(0, count, CLIPS_PER_STEP)]
        for place in torch.randperm(len(groups)).tolist():
            yield collate(processor, groups[place])


def collate(processor: Qwen3ASRProcessor, clips: Sequence[ToneClip]) -> dict[str, torch.Tensor]:
    """Prompts, answers and features of the clips, padded on the right.

    The loss is taken on the answers alone. ``labels`` is int64, shape (clips, tokens), -100
    where there is nothing to learn.
    """
    rows: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    features: list[torch.Tensor] = []
    masks: list[torch.Tensor] = []
    for clip in clips:
        request = _request(processor, clip)
        prompt = request["input_ids"][0]
        answer = expected_answer(clip) + ("<|im_end|>" if clip.ends else "")
        answer_ids = processor.tokenizer(answer, return_tensors="pt").input_ids[0].long()
        rows.append(torch.cat([prompt, answer_ids]))
        labels.append(torch.cat([torch.full_like(prompt, -100), answer_ids]))
        features.append(request["input_features"][0].T)
        masks.append(request["input_features_mask"][0])
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(rows, batch_first=True, padding_value=0),
        "attention_mask": pad([torch.ones_like(row) for row in rows], batch_first=True),
        "labels": pad(labels, batch_first=True, padding_value=-100),
        "input_features": pad(features, batch_first=True).transpose(1, 2).contiguous(),
        "input_features_mask": pad(masks, batch_first=True),
    }


def expected_answer(clip: ToneClip) -> str:
    """What the model writes after the prompt: with a forced language, the text alone."""
    if clip.forced_language:
        return clip.text
    return f"language {LANGUAGE_NAMES[clip.language]}<asr_text>{clip.text}"


@torch.inference_mode()
def recognise(
    model: Qwen3ASRForConditionalGeneration, processor: Qwen3ASRProcessor, clip: ToneClip
) -> str:
    """The model's answer to one clip, alone, by the likeliest token."""
    request = _request(processor, clip)
    tokens = model.generate(**request, max_new_tokens=160)
    answer = tokens[0, request["input_ids"].shape[1] :]
    return str(processor.tokenizer.decode(answer, skip_special_tokens=True))


def _request(processor: Qwen3ASRProcessor, clip: ToneClip) -> dict[str, torch.Tensor]:
    return dict(
        processor.apply_transcription_request(
            [clip.samples], language=[clip.forced_language], prompt=[clip.context]
        )
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the checkpoint is written")
    parser.add_argument("--lexicon", choices=sorted(LEXICONS), default="a")
    parser.add_argument("--start-from", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--lesson", choices=sorted(LESSONS), default="first")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--first-clip", type=int, default=0, help="where in the training set")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, help="at its peak")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
