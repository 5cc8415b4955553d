"""From an untrusted file to stretches of speech at 16 kHz.

``sniff`` guesses what an upload is, ``decode`` turns it into samples in a sandboxed process,
``workfile`` keeps those samples on disk, ``split`` says which stretches of them to recognise.
Nothing in here knows Django or an engine.
"""

#: Every block of samples in this package is mono at this rate.
SAMPLE_RATE_HZ = 16_000
