"""The punctuation model: marks and capitals are added, words never change.

The model is a tiny one with the inputs, outputs and tokenizer of the published ones, made by
``tools.tiny_punctuation.make``: it knows a dozen words.
"""

import random
import shutil
from pathlib import Path

import pytest
import yaml

from transcription.punctuation.files import PunctuationModelError, find_files
from transcription.punctuation.model import PunctuationModel
from transcription.text.written import same_words

TINY = Path(__file__).parent / "tiny-punct-cap-seg"


@pytest.fixture(scope="module")
def model():
    return PunctuationModel(TINY)


@pytest.fixture
def folder(tmp_path):
    """A copy of the model, to break."""
    return Path(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.mark.parametrize(
    ("language", "heard", "written"),
    [
        (
            "en",
            "hello friend how are you today i am fine thanks",
            "Hello friend, how are you today? I am fine thanks.",
        ),
        ("en", "we walk to the park and then home", "We walk to the park, and then home"),
        ("en", "we walk to the park then home", "We walk to the park. Then home"),
        ("en", "it is snowing in london we don't walk", "It is snowing in London. We don't walk"),
        ("zh", "大家好欢迎使用语音识别服务请上传", "大家好，欢迎使用语音识别服务。请上传"),
        ("zh", "大家好 欢迎 使用", "大家好， 欢迎 使用"),
        ("zh", "你吃饭了吗", "你吃饭了吗？"),
        # As Whisper writes pauses; the rules make commas of those that the model leaves.
        ("zh", "语音 识 别服 务 请 上传", "语音 识 别服 务。 请 上传"),
        ("es", "qué tal bien", "¿Qué tal? Bien"),
    ],
)
def test_marks_and_capitals_are_added_where_the_engine_left_them_out(
    model, language, heard, written
):
    assert model(heard, language) == written


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Hello friend! How are you today; I am fine thanks..."),
        ("zh", "大家好！欢迎使用语音识别服务、请上传"),
        ("es", "¿Qué tal!"),
        ("en", "WE walk to the PARK, and then home"),
        ("en", "We don't walk 3.5"),
    ],
)
def test_what_the_engine_wrote_stays(model, language, text):
    assert model(text, language) == text


def test_a_mark_stands_behind_quotes_and_signs_that_close(model):
    assert model("the “park” and then", "en") == "The “park”, and then"
    assert model("the 50% and", "en") == "The 50%, and"


def test_an_abbreviation_by_letters_is_written_as_the_engine_had_it(model):
    assert model("we and jean", "en") == "We and Jean"


def test_a_language_that_the_model_does_not_know_stays_as_it_is(model):
    assert model.languages == {"en", "es", "zh"}
    for language in ("yue", None):
        assert model("hello friend how are you today", language) == "hello friend how are you today"
    assert model("", "en") == ""
    assert model(" … ", "en") == " … "


def test_a_long_text_is_read_in_windows_that_leave_no_seam(model):
    once = "hello friend how are you today i am fine thanks"
    written = "Hello friend, how are you today? I am fine thanks."
    assert model(" ".join([once] * 50), "en") == " ".join([written] * 50)
    assert model("欢迎使用语音识别服务" * 40, "zh") == "欢迎使用语音识别服务。" * 40


@pytest.mark.parametrize("count", range(1, 70))
def test_a_text_of_any_number_of_tokens_keeps_its_length(model, count):
    assert model(" ".join(["thanks"] * count), "en") == " ".join(["Thanks."] * count)


def test_no_text_of_any_kind_has_its_words_changed(model):
    chance = random.Random(5)
    signs = [
        *"abcißİıſﬁéÉςΣ你好大家吗 .,?!'-\"()“”…，。３①𠮷👍ก\u200bㄅカ½\u00a0▁",
        *("thanks ", "park and ", "don't ", "qué ", "e\u0301", "ﾊﾟ"),
    ]
    for _ in range(500):
        text = "".join(chance.choice(signs) for _ in range(chance.randint(0, 60)))
        for language in ("en", "zh", "es"):
            assert same_words(model(text, language), text)


def test_a_sentence_whose_words_would_change_stays_as_it_was(folder, caplog):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["post_labels"] = [label.replace(",", " um,") for label in config["post_labels"]]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    broken = PunctuationModel(folder)
    heard = "hello friend how are you today we walk to the park then home"
    assert broken(heard, "en") == (
        # The first sentence would have said "um".
        "hello friend how are you today We walk to the park. Then home"
    )
    assert "changed words in a sentence" in caplog.text
    assert "friend" not in caplog.text


@pytest.mark.parametrize("name", ["model.onnx", "sp.model", "config.yaml"])
def test_what_is_missing_is_named_with_what_to_fetch(folder, name):
    (folder / name).unlink()
    with pytest.raises(PunctuationModelError, match="fetch_model tiny") as refused:
        find_files(folder)
    assert ("*" + Path(name).suffix if name != "config.yaml" else name) in str(refused.value)
    (folder / name).touch()
    with pytest.raises(PunctuationModelError, match="empty"):
        find_files(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PunctuationModelError, match="does not exist"):
        PunctuationModel(tmp_path / "nothing")


def test_two_models_in_a_folder_are_one_too_many(folder):
    shutil.copy(folder / "model.onnx", folder / "other.onnx")
    with pytest.raises(PunctuationModelError, match=r"model\.onnx, other\.onnx"):
        find_files(folder)


def test_a_pointer_of_git_lfs_is_not_the_file(folder):
    (folder / "model.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    with pytest.raises(PunctuationModelError, match="pointer of Git LFS"):
        find_files(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.onnx", b"nonsense"),
        ("sp.model", b"nonsense"),
        ("config.yaml", b"[1"),
        ("config.yaml", b"languages: [en]"),
        ("config.yaml", b"max_length: 5\nlanguages: []\npre_labels: []\npost_labels: []"),
    ],
)
def test_a_broken_file_is_refused_in_words(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(PunctuationModelError):
        PunctuationModel(folder)


def test_another_kind_of_network_is_refused(folder):
    import faster_whisper

    vad = Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx"
    shutil.copy(vad, folder / "model.onnx")
    with pytest.raises(PunctuationModelError, match="of another kind"):
        PunctuationModel(folder)
