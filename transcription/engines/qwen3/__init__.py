"""What the Qwen3-ASR engine is made of; ``transcription.engines.qwen3_asr`` puts it together.

``options``, ``languages``, ``decisions``, ``segments`` and ``files`` are plain Python; torch and
transformers are imported by ``checkpoint``, ``int8``, ``cache`` and ``recognizer`` alone.
"""
