"""Makes the tiny punctuation model in ``tests/punctuation``; see ``make``."""
