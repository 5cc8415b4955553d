"""Make the tiny punctuation model of the tests: the signature of the published one, no more.

    pip install onnx==1.23.2
    python -m tools.tiny_punctuation.make tests/punctuation/tiny-punct-cap-seg

Input and outputs, labels and tokenizer are those of ``1-800-BAD-CODE/punct_cap_seg_47_language``;
inside there are two tables instead of a network: what a token and the token after it say for each
mark. So it knows a dozen words, and its answers can be foretold. ``onnx`` is needed to make it,
not to run it, and is in no list of requirements.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import onnx
import sentencepiece
import yaml
from onnx import TensorProto, helper, numpy_helper

#: Words that are pieces of the vocabulary, in lower case as the tokenizer sees them.
WORDS = (
    *("hello", "friend", "how", "are", "you", "today", "i", "am", "fine", "thanks", "we", "walk"),
    *("to", "the", "park", "in", "london", "it", "is", "snowing", "don't", "and", "then", "home"),
    *("qué", "tal", "bien", "3.5", "50", "jean"),
)
SIGNS = (
    *("大家好", "欢迎", "使用", "语音", "识别", "服务", "请", "上传", "录音", "文件", "然后"),
    *("等待", "结果", "吗", "你", "吃饭", "了"),
)

NULL, ACRONYM = "<NULL>", "<ACRONYM>"
POST_LABELS = [NULL, ACRONYM, ".", ",", "?", "，", "。", "？"]
PRE_LABELS = [NULL, "¿"]
STOPS = {".", "?", "。", "？"}
#: (word, word after it or None for any) → mark after it.
MARKS = {
    ("friend", None): ",",
    ("today", None): "?",
    ("thanks", None): ".",
    ("park", "and"): ",",
    ("park", None): ".",
    ("london", None): ".",
    ("50", None): ",",
    ("tal", None): "?",
    ("jean", None): ACRONYM,
    ("大家好", None): "，",
    ("服务", None): "。",
    ("文件", None): "，",
    ("结果", None): "。",
    ("吗", None): "？",
    # Marks inside a word, which are never to be written: "don't" is two pieces or more.
    ("'", None): ",",
}
NAMES = {"london", "i", "jean"}
MOST_CHARACTERS = 16
MAX_LENGTH = 32


def make_tokenizer() -> bytes:
    """A SentencePiece model whose vocabulary has the words above as pieces."""
    corpus = [" ".join([*WORDS, *SIGNS])] * 20
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=made,
        model_type="bpe",
        vocab_size=400,
        hard_vocab_limit=False,
        character_coverage=1.0,
        bos_id=1,
        eos_id=2,
        pad_id=3,
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    return made.getvalue()


def make_network(tokenizer: sentencepiece.SentencePieceProcessor) -> onnx.ModelProto:
    """The graph: ids (batch, time) → pre, post (batch, time), cap (…, characters), seg."""
    count = tokenizer.get_piece_size()
    pieces = [tokenizer.id_to_piece(at) for at in range(count)]
    own = np.zeros((count, len(POST_LABELS)), dtype=np.float32)
    own[:, 0] = 1.5
    following = np.zeros((count, len(POST_LABELS)), dtype=np.float32)
    at_of = {piece.removeprefix("▁"): at for at, piece in enumerate(pieces)} | {
        piece.removeprefix("▁"): at for at, piece in enumerate(pieces) if piece.startswith("▁")
    }
    for (word, after), mark in MARKS.items():
        label = POST_LABELS.index(mark)
        for at, piece in enumerate(pieces):
            if piece.removeprefix("▁") == word:
                own[at, label] += 2.0 if after is None else 1.2
        if after is not None:
            following[at_of[after], label] += 1.0
    first_letter = np.zeros((count, MOST_CHARACTERS), dtype=bool)
    for at, piece in enumerate(pieces):
        if piece.startswith("▁"):
            first_letter[at, 1] = True
    tables = {
        "own": own,
        "following": following,
        "pre_of": np.array([int(p.removeprefix("▁") == "qué") for p in pieces], dtype=np.int64),
        "is_name": np.array([p.removeprefix("▁") in NAMES for p in pieces]),
        "is_stop": np.array([label in STOPS for label in POST_LABELS]),
        "first_letter": first_letter,
        "pad": np.array([[3]], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
        "minus_one": np.array([-1], dtype=np.int64),
        "zero": np.array([0], dtype=np.int64),
        "far": np.array([2**31], dtype=np.int64),
        "time": np.array([1], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Slice", ["input_ids", "one", "far", "time"], ["rest"]),
        node("Slice", ["input_ids", "zero", "one", "time"], ["head"]),
        node("Mul", ["head", "zero"], ["head_zero"]),
        node("Add", ["head_zero", "pad"], ["tail"]),
        node("Concat", ["rest", "tail"], ["next_ids"], axis=1),
        node("Gather", ["own", "input_ids"], ["own_scores"], axis=0),
        node("Gather", ["following", "next_ids"], ["next_scores"], axis=0),
        node("Add", ["own_scores", "next_scores"], ["scores"]),
        node("ArgMax", ["scores"], ["post_preds"], axis=2, keepdims=0),
        node("Gather", ["pre_of", "input_ids"], ["pre_preds"], axis=0),
        node("Gather", ["is_stop", "post_preds"], ["seg_preds"], axis=0),
        # A sentence starts after BOS and after a stop.
        node("Equal", ["head", "head"], ["starts"]),
        node("Slice", ["seg_preds", "zero", "minus_one", "time"], ["stopped_before"]),
        node("Concat", ["starts", "stopped_before"], ["after_stop_or_bos"], axis=1),
        node("Slice", ["input_ids", "zero", "minus_one", "time"], ["ids_before"]),
        node("Concat", ["tail", "ids_before"], ["previous_ids"], axis=1),
        node("Equal", ["previous_ids", "one"], ["after_bos"]),
        node("Or", ["after_stop_or_bos", "after_bos"], ["begins"]),
        node("Gather", ["is_name", "input_ids"], ["names"], axis=0),
        node("Or", ["begins", "names"], ["raised"]),
        node("Unsqueeze", ["raised", "last"], ["raised_column"]),
        node("Gather", ["first_letter", "input_ids"], ["first_letters"], axis=0),
        node("And", ["raised_column", "first_letters"], ["cap_preds"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_punct_cap_seg",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "time"])],
        [
            helper.make_tensor_value_info("pre_preds", TensorProto.INT64, ["batch", "time"]),
            helper.make_tensor_value_info("post_preds", TensorProto.INT64, ["batch", "time"]),
            helper.make_tensor_value_info(
                "cap_preds", TensorProto.BOOL, ["batch", "time", MOST_CHARACTERS]
            ),
            helper.make_tensor_value_info("seg_preds", TensorProto.BOOL, ["batch", "time"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in tables.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def main(folder: Path) -> None:
    """Write the three files of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    (folder / "sp.model").write_bytes(tokenizer)
    network = make_network(sentencepiece.SentencePieceProcessor(model_proto=tokenizer))
    (folder / "model.onnx").write_bytes(network.SerializeToString(deterministic=True))
    config = {
        "max_length": MAX_LENGTH,
        "languages": ["en", "es", "zh"],
        "pre_labels": PRE_LABELS,
        "post_labels": POST_LABELS,
    }
    (folder / "config.yaml").write_text(
        yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
