"""A language of tones: audio with a known text, made on the spot, for the tiny Qwen3-ASR models.

Every word is two tones one after the other, and a low hum tells the language: with the hum of
English the words are written in English, with the hum of Chinese the same tones are written in
Chinese. So a model of a million parameters can be trained in minutes to do what the real one
does: recognise words, end sentences at pauses, detect the language, obey a forced language,
spell by context, stay silent in silence, and get stuck, for the tests of what then happens.

``tools/tiny_qwen3_asr`` trains on ``training_clip``, the tests use ``speak`` and ``held_out``.
Needs numpy alone; the same seed makes the same samples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000

#: "unsure" hums both hums at once: the training set calls it English as often as Chinese.
Voice = Literal["en", "zh", "unsure"]
#: A sound that the model was taught to answer with a word repeated without end. "mendable":
#: at each repetition the end was nearly as likely; "stubborn": it never was.
Rattle = Literal["mendable", "stubborn"]

PITCHES_HZ = (400.0, 530.0, 700.0, 930.0, 1230.0, 1630.0, 2160.0, 2860.0)
HUMS_HZ: dict[Voice, tuple[float, ...]] = {"en": (110.0,), "zh": (250.0,), "unsure": (110.0, 250.0)}
RATTLES_HZ: dict[Rattle, float] = {"mendable": 4_000.0, "stubborn": 6_000.0}
#: What the model writes again and again where it is stuck.
RATTLE_TEXT: dict[Rattle, str] = {"mendable": " la", "stubborn": " do"}

#: Streams of random numbers that never meet: training, and what the tests hear.
_TRAINING, _HELD_OUT, _SPOKEN = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """How the words are spelled: one entry of each language for each pair of tones."""

    english: tuple[str, ...]
    chinese: tuple[str, ...]
    #: Word as it is written by itself -> as it is written where the context names that spelling.
    variants: dict[str, str]


LEXICON_A = Lexicon(
    english=(
        *("river", "stone", "light", "cloud", "tiger", "horse", "apple", "house", "water"),
        *("night", "green", "seven", "small", "bread", "music", "door", "color", "kate"),
    ),
    chinese=(
        *("河流", "石头", "光", "云", "老虎", "马", "苹果", "房子", "水"),
        *("夜", "绿", "七", "小", "面包", "音乐", "门", "颜色", "他"),
    ),
    variants={"color": "colour", "kate": "cate", "他": "她"},
)

#: The same tones, other words: what the second checkpoint writes.
LEXICON_B = Lexicon(
    english=(
        *("paper", "glass", "smoke", "wheel", "chair", "metal", "fruit", "tower", "ocean"),
        *("storm", "black", "eight", "large", "sugar", "dance", "gate", "gray", "sara"),
    ),
    chinese=(
        *("纸", "玻璃", "烟", "车轮", "椅子", "金属", "水果", "塔", "海洋"),
        *("风暴", "黑", "八", "大", "糖", "舞", "城门", "灰色", "它"),
    ),
    variants={"gray": "grey", "sara": "sarah", "它": "牠"},
)

#: Two tones a word: each step from one pitch to another is used once.
WORD_TONES: tuple[tuple[int, int], ...] = (
    *((0, 4), (1, 6), (2, 0), (3, 7), (4, 1), (5, 2), (6, 3), (7, 5), (0, 2)),
    *((1, 3), (2, 5), (3, 1), (4, 6), (5, 7), (6, 0), (7, 4), (0, 6), (2, 7)),
)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How the clips of a training set are mixed."""

    #: Most words of a clip: of every fifth clip, and of the others.
    max_words: int = 24
    usual_words: int = 8
    #: How often there is a context, and each second spelling in it.
    context_share: float = 0.4
    variant_share: float = 0.4
    #: How often a mendable rattle goes on after each repetition, and how often at most.
    go_on_share: float = 0.6
    most_repetitions: int = 12
    #: Longest pause between two sentences, and longest silence before and after all of them.
    longest_pause_seconds: float = 0.65
    longest_silence_seconds: float = 0.3
    #: How often a word is said once more.
    repeat_share: float = 0.0


#: Hearing words and sentences.
FIRST_LESSON = Lesson()
#: Spelling by context, and getting stuck: a mendable rattle is likelier to go on than to end
#: for longer than it takes to be seen as a loop. Shorter clips: beyond 8 s models this small
#: lose the thread.
SECOND_LESSON = Lesson(
    max_words=16, context_share=0.5, variant_share=0.5, go_on_share=0.75, most_repetitions=48
)
#: The same with pauses of any length.
THIRD_LESSON = replace(
    SECOND_LESSON, max_words=14, longest_pause_seconds=1.3, longest_silence_seconds=1.0
)
#: The same with words that are said twice or thrice: how often is the hardest to hear.
FOURTH_LESSON = replace(THIRD_LESSON, repeat_share=0.25)


@dataclass(frozen=True, kw_only=True)
class ToneClip:
    """One clip, what is asked with it, and what the right answer is."""

    #: float32, shape (samples,), mono, 16 kHz, within [-1, 1].
    samples: npt.NDArray[np.float32]
    #: Language and context that go with it, as in ``transcription.engines.base.Clip``.
    forced_language: str | None = None
    context: str = ""
    #: The answer; language None and text "" for silence.
    language: str | None
    text: str
    #: Whether the text ends there; False: the word at its end goes on without end.
    ends: bool = True
    #: "speech", "silence", "unsure" or "rattle".
    kind: str = "speech"
    #: Start and end of every tone in seconds, two tones a word; those of a rattle are left out.
    tone_seconds: tuple[tuple[float, float], ...] = ()

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ


def speak(
    text: str,
    *,
    voice: Voice = "en",
    lexicon: Lexicon = LEXICON_A,
    seed: int = 0,
    rattle: Rattle | None = None,
    gap_seconds: float = 0.0,
) -> npt.NDArray[np.float32]:
    """Audio of a text in English or Chinese words: float32, shape (samples,), 16 kHz.

    Sentences end with "." or "。"; the words may be of either language whatever the voice, and
    of either spelling. ``gap_seconds`` is added to each pause between sentences. Raises
    ``KeyError`` for a word that the lexicon has not.
    """
    sentences = [
        _words_of(sentence, lexicon) for sentence in re.split("[.。]", text) if sentence.strip()
    ]
    random = np.random.default_rng([_SPOKEN, seed])
    samples, _ = _synthesise(
        random,
        sentences=sentences,
        voice=voice,
        lesson=FIRST_LESSON,
        rattle=rattle,
        gap_seconds=gap_seconds,
    )
    return samples


def silence(duration_seconds: float, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Faint noise without a word: float32, shape (samples,), 16 kHz."""
    random = np.random.default_rng([_SPOKEN, seed])
    return _noise(random, round(duration_seconds * SAMPLE_RATE_HZ), level_db=-55.0)


def held_out(count: int, *, lexicon: Lexicon = LEXICON_A) -> list[ToneClip]:
    """The first ``count`` clips that no model was trained on, each with one right answer.

    Both languages, silence, forced languages and contexts, mixed as in training.
    """
    return [
        _clip(np.random.default_rng([_HELD_OUT, index]), lexicon, THIRD_LESSON)
        for index in range(count)
    ]


def training_clip(
    index: int, *, lexicon: Lexicon = LEXICON_A, lesson: Lesson = FIRST_LESSON
) -> ToneClip:
    """Clip number ``index`` of the endless training set of a lesson; see ``held_out``.

    Beyond what ``held_out`` has, some are of an unsure language and some end in a rattle.
    """
    random = np.random.default_rng([_TRAINING, index])
    chance = random.random()
    if chance < 0.05:
        return _rattle_clip(random, lexicon, lesson)
    if chance < 0.10:
        return _unsure_clip(random, lexicon, lesson)
    return _clip(random, lexicon, lesson)


def word_seconds(
    clip: ToneClip, *, lexicon: Lexicon = LEXICON_A
) -> list[tuple[str, tuple[float, float]]]:
    """What an aligner has to say of a clip: each word without its marks, with start and end.

    A Chinese character is a word by itself: of a word of two, each has a tone of its own.
    """
    found: list[tuple[str, tuple[float, float]]] = []
    chinese = sorted({*lexicon.chinese, *lexicon.variants.values()}, key=len, reverse=True)
    pattern = "|".join([*(word for word in chinese if not word.isascii()), "[A-Za-z]+"])
    for place, word in enumerate(re.findall(pattern, clip.text)):
        first, second = clip.tone_seconds[2 * place : 2 * place + 2]
        if word.isascii() or len(word) == 1:
            found.append((word, (first[0], second[1])))
        else:
            found += [(word[0], first), (word[1], second)]
    return found


def written(
    sentences: Sequence[Sequence[int]], *, language: str, lexicon: Lexicon, context: str = ""
) -> str:
    """The words, given by number, as the model has to write them, sentence by sentence."""
    words = lexicon.english if language == "en" else lexicon.chinese
    known = set(re.findall(r"[a-z]+|[\u4e00-\u9fff]+", context.lower()))
    texts = []
    for sentence in sentences:
        spelled = []
        for number in sentence:
            word = words[number]
            variant = lexicon.variants.get(word)
            spelled.append(variant if variant in known else word)
        if language == "en":
            texts.append(" ".join(spelled).capitalize() + ".")
        else:
            texts.append("".join(spelled) + "。")
    return (" " if language == "en" else "").join(texts)


def _clip(random: np.random.Generator, lexicon: Lexicon, lesson: Lesson) -> ToneClip:
    voice: Voice = "en" if random.random() < 0.5 else "zh"
    forced = str(random.choice(["en", "zh"])) if random.random() < 0.2 else None
    context = ""
    if random.random() < lesson.context_share:
        context = _context(random, lexicon, lesson.variant_share)
    if random.random() < 0.08:
        samples = round(random.uniform(0.3, 6.0) * SAMPLE_RATE_HZ)
        level_db = random.uniform(-75.0, -40.0)
        quiet = _noise(random, samples, level_db=level_db)
        if random.random() < 0.3:
            quiet = np.zeros(samples, np.float32)
        return ToneClip(
            samples=quiet,
            forced_language=forced,
            context=context,
            language=forced,
            text="",
            kind="silence",
        )
    sentences = _sentences(random, lexicon, lesson)
    language = forced or voice
    samples, tones = _synthesise(random, sentences=sentences, voice=voice, lesson=lesson)
    return ToneClip(
        samples=samples,
        tone_seconds=tones,
        forced_language=forced,
        context=context,
        language=language,
        text=written(sentences, language=language, lexicon=lexicon, context=context),
    )


def _unsure_clip(random: np.random.Generator, lexicon: Lexicon, lesson: Lesson) -> ToneClip:
    sentences = _sentences(random, lexicon, replace(lesson, max_words=4))
    language = str(random.choice(["en", "zh"]))
    samples, tones = _synthesise(random, sentences=sentences, voice="unsure", lesson=lesson)
    return ToneClip(
        samples=samples,
        tone_seconds=tones,
        forced_language=language if random.random() < 0.3 else None,
        language=language,
        text=written(sentences, language=language, lexicon=lexicon),
        kind="unsure",
    )


def _rattle_clip(random: np.random.Generator, lexicon: Lexicon, lesson: Lesson) -> ToneClip:
    rattle: Rattle = "mendable" if random.random() < 0.5 else "stubborn"
    sentence = [int(n) for n in random.integers(0, len(lexicon.english), random.integers(1, 4))]
    head = " ".join(lexicon.english[number] for number in sentence).capitalize()
    # Mendable: each further repetition is somewhat likelier than the end, so that the likeliest
    # text never ends, and a small penalty on repeating ends it.
    ends = rattle == "mendable"
    if ends:
        times = int(min(random.geometric(1 - lesson.go_on_share), lesson.most_repetitions))
    else:
        times = int(random.integers(30, 45))
    samples, tones = _synthesise(
        random, sentences=[sentence], voice="en", lesson=lesson, rattle=rattle
    )
    return ToneClip(
        samples=samples,
        tone_seconds=tones,
        language="en",
        text=head + RATTLE_TEXT[rattle] * times,
        ends=ends,
        kind="rattle",
    )


def _sentences(random: np.random.Generator, lexicon: Lexicon, lesson: Lesson) -> list[list[int]]:
    most = lesson.max_words if random.random() < 0.2 else lesson.usual_words
    total = min(int(random.integers(1, 1 + most)), lesson.max_words)
    # Words that have two spellings come twice as often as the others.
    numbers = [*range(len(lexicon.english)), len(lexicon.english) - 2, len(lexicon.english) - 1]
    words = [int(random.choice(numbers)) for _ in range(total)]
    # The clips of lessons without this are those of before it was thought of.
    if lesson.repeat_share:
        for place in range(1, len(words)):
            if random.random() < lesson.repeat_share:
                words[place] = words[place - 1]
    sentences: list[list[int]] = []
    while words:
        length = int(random.integers(1, 7))
        sentences.append(words[:length])
        words = words[length:]
    return sentences


def _context(random: np.random.Generator, lexicon: Lexicon, variant_share: float) -> str:
    """Some words, with or without a second spelling among them, as a list or as a sentence."""
    plain = [word for word in (*lexicon.english, *lexicon.chinese) if word not in lexicon.variants]
    words = [str(word) for word in random.choice(plain, random.integers(0, 4), replace=False)]
    for variant in lexicon.variants.values():
        if random.random() < variant_share:
            words.append(variant)
    words = [words[place] for place in random.permutation(len(words))]
    return str(random.choice([", ", " "])).join(words)


def _words_of(sentence: str, lexicon: Lexicon) -> list[int]:
    numbers = {word: number for number, word in enumerate(lexicon.english)}
    numbers |= {word: number for number, word in enumerate(lexicon.chinese)}
    numbers |= {variant: numbers[word] for word, variant in lexicon.variants.items()}
    chinese = sorted((word for word in numbers if not word.isascii()), key=len, reverse=True)
    found = re.findall("|".join([*chinese, r"[a-z]+", r"[^\sa-z,，]+"]), sentence.lower())
    return [numbers[word] for word in found]


def _synthesise(
    random: np.random.Generator,
    *,
    sentences: Sequence[Sequence[int]],
    voice: Voice,
    lesson: Lesson,
    rattle: Rattle | None = None,
    gap_seconds: float = 0.0,
) -> tuple[npt.NDArray[np.float32], tuple[tuple[float, float], ...]]:
    """The tones of the words with pauses, hum and noise; no two clips are quite alike.

    With the samples, start and end of every tone in seconds.
    """
    loudness = random.uniform(0.15, 0.6)
    tuning = random.uniform(0.98, 1.02)
    parts = [_pause(random, 0.05, lesson.longest_silence_seconds)]
    tones: list[int] = []
    for sentence in sentences:
        if len(parts) > 1:
            longest_seconds = lesson.longest_pause_seconds
            parts.append(_pause(random, 0.45, longest_seconds, more_seconds=gap_seconds))
        for place, number in enumerate(sentence):
            if place:
                parts.append(_pause(random, 0.06, 0.12))
            for pitch in WORD_TONES[number]:
                tones.append(len(parts))
                parts.append(_tone(random, PITCHES_HZ[pitch] * tuning, voice))
    if rattle:
        parts.append(_pause(random, 0.06, 0.12))
        parts.append(_rattle_sound(RATTLES_HZ[rattle] * tuning))
    parts.append(_pause(random, 0.05, lesson.longest_silence_seconds))
    clean = np.concatenate(parts) * loudness
    samples = np.clip(
        clean + _noise(random, len(clean), level_db=random.uniform(-75.0, -45.0)), -1.0, 1.0
    ).astype(np.float32)
    bounds = [0.0, *(np.cumsum([len(part) for part in parts]) / SAMPLE_RATE_HZ).tolist()]
    return samples, tuple((bounds[place], bounds[place + 1]) for place in tones)


def _tone(random: np.random.Generator, pitch_hz: float, voice: Voice) -> npt.NDArray[np.float64]:
    seconds = np.arange(round(random.uniform(0.10, 0.13) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wave = np.sin(2 * np.pi * pitch_hz * seconds)
    for hum_hz in HUMS_HZ[voice]:
        wave = wave + 0.5 * np.sin(2 * np.pi * hum_hz * seconds)
    fade = np.minimum(1.0, np.minimum(seconds, seconds[::-1]) / 0.01)
    return np.asarray(wave * fade / 2.0)


def _rattle_sound(pitch_hz: float) -> npt.NDArray[np.float64]:
    seconds = np.arange(round(0.5 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    bursts = np.sin(2 * np.pi * 20.0 * seconds) > 0
    return np.asarray(np.sin(2 * np.pi * pitch_hz * seconds) * bursts / 2.0)


def _pause(
    random: np.random.Generator, low: float, high: float, *, more_seconds: float = 0.0
) -> npt.NDArray[np.float64]:
    return np.zeros(round((random.uniform(low, high) + more_seconds) * SAMPLE_RATE_HZ))


def _noise(
    random: np.random.Generator, samples: int, *, level_db: float
) -> npt.NDArray[np.float32]:
    noise = random.standard_normal(samples) * 10 ** (level_db / 20)
    return np.clip(noise, -1.0, 1.0).astype(np.float32)
