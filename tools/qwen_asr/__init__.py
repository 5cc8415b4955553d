"""The package ``qwen-asr``, to measure ourselves against."""
