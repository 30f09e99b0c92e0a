"""A release on trial, the power cut at every step of it, and what the next start makes of what it finds."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest

from edge.commands import update
from edge.commands.update_offered import Tried, settle
from edge.deploy import building
from edge.deploy.bundle import write_bundle
from edge.deploy.releases import Layout, activate, build, rely_on
from edge.deploy.trial import Trial, only_one
from hailong.cli import main
from pipeline.errors import ConfigError
from pipeline.keys import KeyPair, new_keys
from pipeline.wire import UpdateState

OLD, NEW = "1.0", "1.1"


class Machine:
    """A box under a root of its own, with a release at work and another that was built."""

    def __init__(self, folder: Path, keys: KeyPair) -> None:
        self.layout = layout = Layout(folder / "root")
        for path, text in ((layout.unit, "old unit"), (layout.config, "[box] # old\n")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        content = folder / "content"
        (content / "wheels").mkdir(parents=True)
        (content / "wheels/one.whl").write_text("x")
        (content / "cache").mkdir()
        (content / "cache/one").write_text("x")
        self.bundles = {}
        for version in (OLD, NEW):
            self.bundles[version] = folder / f"{version}.tar"
            write_bundle(content, self.bundles[version], version, platform.machine(), keys)
        layout.home.mkdir(parents=True)
        (layout.home / "trust.key").write_text(keys.signing_public_z85)
        self.old, self.new = (
            build(layout, self.bundles[version], keys.signing_public, lambda _text: None) for version in (OLD, NEW)
        )
        activate(layout, self.old)
        rely_on(layout, self.old)

    def changed(self) -> None:
        """What an update changes once the trial has begun."""
        activate(self.layout, self.new)
        self.layout.unit.write_text("new unit")
        self.layout.config.write_text("[box] # new\n")

    def is_as_before(self) -> bool:
        layout = self.layout
        texts = (layout.unit.read_text(), layout.config.read_text())
        links = (layout.current.resolve(), layout.steady.resolve(), layout.previous.exists())
        return texts == ("old unit", "[box] # old\n") and links == (self.old, self.old, False)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    monkeypatch.setattr("edge.deploy.service.is_wanted", lambda _layout: True)
    return Machine(tmp_path, new_keys("server"))


@pytest.mark.parametrize("wrong", ["", "it ended (exit-code)"])
def test_a_power_cut_while_it_was_watched(machine: Machine, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The next start judges it: it stays where it works, and all goes back where it does not."""
    monkeypatch.setattr(update, "watch", lambda *_given, **_more: wrong)
    layout = machine.layout
    Trial.begin(layout, machine.new)
    machine.changed()
    # the power is cut here: nothing but the disk is left
    settle(layout, 1.0)
    assert not layout.trial.exists()
    tried = Tried.load(layout)
    assert tried.about == machine.new.name
    if wrong:
        assert machine.is_as_before()
        assert not machine.new.exists()
        assert (tried.state, tried.not_again) == (UpdateState.RETURNED, [machine.new.name])
    else:
        assert layout.current.resolve() == layout.steady.resolve() == machine.new
        assert layout.config.read_text() == "[box] # new\n"
        assert (tried.state, tried.not_again) == (UpdateState.TAKEN, [])


@pytest.mark.parametrize("cut", ["in the copies", "before the links are written", "before anything was changed"])
def test_a_power_cut_before_the_release_took_its_place(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    """Nothing is watched, and nothing restarted: the box is as before."""
    monkeypatch.setattr(update, "watch", lambda *_given, **_more: pytest.fail("the service was restarted"))
    layout = machine.layout
    Trial.begin(layout, machine.new)
    if cut != "before anything was changed":
        (layout.trial / "links.json").unlink()
    if cut == "in the copies":
        (layout.trial / "files/edge.toml").write_text("[b")
    settle(layout, 1.0)
    assert machine.is_as_before()
    assert not layout.trial.exists()
    assert Tried.load(layout).state is UpdateState.STEADY


def test_a_power_cut_while_all_was_put_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The links lead to the old release again, and its unit is half written: its own program writes it anew."""
    monkeypatch.setattr(update, "watch", lambda *_given, **_more: "it ended (exit-code)")
    layout = machine.layout
    trial = Trial.begin(layout, machine.new)
    machine.changed()
    with monkeypatch.context() as patched:
        patched.setattr("edge.deploy.trial.activate", lambda *_given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trial.restore(wanted=True)
    settle(layout, 1.0)
    assert machine.is_as_before()


def test_copies_are_the_owner_s_alone_and_do_not_stay(machine: Machine) -> None:
    layout = machine.layout
    trial = Trial.begin(layout, machine.new)
    modes = {path.stat().st_mode & 0o777 for path in (layout.trial / "files").iterdir()}
    assert (modes, layout.trial.stat().st_mode & 0o777) == ({0o600}, 0o700)
    trial.keep()
    assert not layout.trial.exists()


def test_one_update_at_a_time(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    with only_one(machine.layout):
        words = ["edge", "update", "--root", str(machine.layout.root)]
        assert main([*words, "--bundle", str(machine.bundles[NEW])]) == 1
        assert "hailong edge update: " in capsys.readouterr().err
        assert main([*words, "--offered"]) == 0, "the timer's comes again in an hour"
        assert capsys.readouterr() == ("", "")
        with pytest.raises(ConfigError), only_one(machine.layout):
            pass
    assert machine.is_as_before()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": 99, "about": "", "not_again": [], "spoilt_day": 1}'])
def test_a_damaged_record_of_what_was_tried_is_none(machine: Machine, text: str) -> None:
    machine.layout.tried.write_text(text)
    assert Tried.load(machine.layout) == Tried()


def test_what_was_tried_is_bounded(machine: Machine) -> None:
    tried = Tried()
    for number in range(100):
        tried.note(machine.layout, UpdateState.RETURNED, f"1.{number}-{number:08x}")
    assert len(Tried.load(machine.layout).not_again) == 32
    assert json.loads(machine.layout.tried.read_text())["about"] == "1.99-00000063"


def _reached(machine: Machine) -> tuple[Path, ...]:
    home = machine.layout.home
    return home, home / "releases", machine.new, machine.new / "manifest.json"


def test_the_service_reads_a_release_whatever_umask_root_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "build_environment", lambda venv, _content: venv.mkdir())
    before = os.umask(0o077)
    try:
        machine = Machine(tmp_path, new_keys("server"))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in _reached(machine)}
    assert modes == {"hailong": 0o755, "releases": 0o755, machine.new.name: 0o755, "manifest.json": 0o644}
