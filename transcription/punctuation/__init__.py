"""Marks and capitals by a small network, for engines that leave them out.

The models are those of the family ``punct_cap_seg`` as published by 1-800-BAD-CODE under Apache
2.0, an ONNX file and a SentencePiece file each, so that nothing is needed that the service does
not have already. ``punct_cap_seg_47_language`` knows 47 languages, Chinese and English among
them, with 6 layers of 512 (some 50 million parameters); the larger
``xlm-roberta_punctuation_fullstop_truecase`` has the same inputs and outputs.

``files`` says whether a model is there, in a web process as well; ``model`` runs it, in a worker.
Nothing in here knows Django.
"""
