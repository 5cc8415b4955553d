"""Where the bars of the throughput picture stand; a template draws them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from transcription.services.throughput import Span

#: The picture's own units; the page scales it.
WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 22, 20
#: Labels below the bars that have room side by side.
MOST_LABELS = 6


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One span of time: its bar, and what the table says of it."""

    span: Span
    label: str
    #: Whether there is room for the label below the bar.
    is_labelled: bool
    x: float
    y: float
    width: float
    height: float
    middle: float
    right: float
    #: In the unit of the picture.
    amount: float


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of what was recognised."""

    name: str
    title: str
    unit: str
    bars: list[Bar]
    #: The height of the highest bar, in the unit.
    most: float
    recordings: int
    failures: int
    audio_seconds: float
    engine_seconds: float
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - BOTTOM

    @property
    def rtfx(self) -> float | None:
        """Of all spans together."""
        return self.audio_seconds / self.engine_seconds if self.engine_seconds else None

    @property
    def is_empty(self) -> bool:
        return not (self.recordings or self.failures)


def picture(name: str, title: str, spans: Sequence[Span], labels: Sequence[str]) -> Picture:
    """Return the picture of the spans; each has a label."""
    most_seconds = max((span.audio_seconds for span in spans), default=0.0)
    unit, unit_seconds = _unit_of(most_seconds)
    step = (WIDTH - LEFT - RIGHT) / max(len(spans), 1)
    room = HEIGHT - TOP - BOTTOM
    every = -(-len(spans) // MOST_LABELS) or 1
    bars = []
    for place, (span, label) in enumerate(zip(spans, labels, strict=True)):
        height = room * span.audio_seconds / most_seconds if most_seconds else 0.0
        x = LEFT + place * step
        bars.append(
            Bar(
                span=span,
                label=label,
                # Counted from the last, which is now.
                is_labelled=(len(spans) - 1 - place) % every == 0,
                x=round(x + step * 0.12, 2),
                y=round(HEIGHT - BOTTOM - height, 2),
                width=round(step * 0.76, 2),
                height=round(height, 2),
                middle=round(x + step / 2, 2),
                right=round(x + step * 0.88, 2),
                amount=span.audio_seconds / unit_seconds,
            )
        )
    return Picture(
        name=name,
        title=title,
        unit=unit,
        bars=bars,
        most=most_seconds / unit_seconds,
        recordings=sum(span.recordings for span in spans),
        failures=sum(span.failures for span in spans),
        audio_seconds=sum(span.audio_seconds for span in spans),
        engine_seconds=sum(span.engine_seconds for span in spans),
    )


def _unit_of(seconds: float) -> tuple[str, float]:
    if seconds >= 7_200:
        return _("hours of audio"), 3_600.0
    if seconds >= 120:
        return _("minutes of audio"), 60.0
    return _("seconds of audio"), 1.0
