"""A configuration that is written reads the same, whatever was typed; or is refused, and the file is as it was."""

from __future__ import annotations

import os
import stat
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config import load_config
from edge.config_text import config_text, write_config
from edge.deploy.releases import kept_path
from pipeline.errors import ConfigError, StoreError
from tests.edge.test_config import GOOD
from tests.edge.test_counters import HALL

KEYS = st.sampled_from(["a", "b-c", "D_1", "7", "true"])
PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9), st.text(max_size=8), st.just(date(2026, 6, 1))
)
FLAT = st.dictionaries(KEYS, st.one_of(PLAIN, st.lists(PLAIN, max_size=3)), max_size=3)
DEEPER = st.dictionaries(KEYS, st.one_of(PLAIN, FLAT, st.lists(FLAT, min_size=1, max_size=2)), max_size=3)
TABLES = st.dictionaries(KEYS, st.one_of(PLAIN, DEEPER, st.lists(DEEPER, min_size=1, max_size=2)), max_size=3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(TABLES)
def test_what_is_written_reads_the_same_or_is_refused(values: dict[str, Any]) -> None:
    try:
        text = config_text(values)
    except ConfigError:
        return
    assert tomllib.loads(text) == values


@given(st.text())
def test_no_text_becomes_another_setting(typed: str) -> None:
    """Refused are control characters and halves of characters alone."""
    values = {"box": {"agency_label": typed, "demo": False}}
    try:
        read = tomllib.loads(config_text(values))
    except ConfigError:
        assert any(ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) <= 0xDFFF for sign in typed)
        return
    assert read == values


@pytest.mark.parametrize(
    "typed",
    ['"\ndemo = true\n#', "\\", '"""', "'''", "]\n[box]\ndemo = true", "\\u0022", "a\tb", "Quầy “3” – 😀", "# x"],
)
def test_an_agency_s_name_cannot_say_anything_else(tmp_path: Path, typed: str) -> None:
    values = tomllib.loads(GOOD)
    values["box"]["agency_label"] = typed
    config = write_config(values, tmp_path / "edge.toml")
    assert config.box.agency_label == typed
    assert not config.box.demo
    assert load_config(tmp_path / "edge.toml") == config


def test_a_key_is_not_where_a_setting_is_smuggled_in() -> None:
    for key in ('a" = 1\n"b', "a]\n[box", "", "a b"):
        with pytest.raises(ConfigError):
            config_text({"box": {key: 1}})


@pytest.mark.parametrize("text", [GOOD, HALL], ids=["one counter", "a hall"])
def test_every_form_of_the_file_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(text, "utf-8")
    before = load_config(path)
    path.chmod(0o644)
    assert write_config(tomllib.loads(text), path) == before
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, kept_path(path))] == [0o600, 0o600]
    assert kept_path(path).read_text("utf-8") == text
    assert sorted(each.name for each in tmp_path.iterdir()) == ["edge.toml", "edge.toml.before"]


def test_what_would_not_start_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD, "utf-8")
    values = tomllib.loads(GOOD)
    del values["legal"]
    with pytest.raises(ConfigError, match="has no default"):
        write_config(values, path)
    alone = tomllib.loads(GOOD) | {"privacy": {"clerks_per_box": 1}}
    with pytest.raises(ConfigError, match="serves one clerk"):
        write_config(alone, path)
    assert path.read_text("utf-8") == GOOD
    assert not kept_path(path).exists()


def test_a_link_that_waits_is_not_written_through(tmp_path: Path) -> None:
    """And a folder that is not there is told."""
    other = tmp_path / "other"
    other.write_text("precious", "utf-8")
    path = tmp_path / "edge.toml"
    path.symlink_to(other)
    path.with_name("edge.toml.part").symlink_to(other)
    write_config(tomllib.loads(GOOD), path)
    assert other.read_text("utf-8") == "precious"
    assert not path.is_symlink()
    with pytest.raises(StoreError, match="cannot be written"):
        write_config(tomllib.loads(GOOD), tmp_path / "nowhere/edge.toml")


def test_a_write_that_is_cut_off_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(GOOD, "utf-8")

    def full(_file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        write_config(tomllib.loads(GOOD), path)
    assert path.read_text("utf-8") == GOOD
