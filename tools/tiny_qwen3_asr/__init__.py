"""Makes the tiny Qwen3-ASR checkpoints in ``tests/engines``; see ``train``."""
