"""`hailong edge check` of a hall: every device of every counter side by side, one table, the fix for each."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from edge.commands.check import _print
from edge.commands.check_counters import check_counters
from edge.commands.finding import Finding
from edge.config import load_config
from hailong.cli import main
from pipeline.errors import SourceError
from pipeline.language import Message
from pipeline.records import Frame
from tests.edge.test_config import write
from tests.edge.test_counters import HALL
from tests.edge.test_hall_box import HALL as OF_TABLETS
from tests.edge.test_hall_box import enrolled


def test_all_cameras_are_tried_at_once_and_each_row_has_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One is dead, one has a driver that fails in its own way, one is well; all are opened at the same time."""
    together = threading.Barrier(3, timeout=60)

    def check(camera: object) -> Frame:
        together.wait()  # one after the other they would never all be here
        source = str(getattr(camera, "source"))  # noqa: B009
        if "10.0.0.1" in source:
            raise SourceError(Message("The stream {name} cannot be opened ({name_2}).", name=source, name_2="OSError"))
        if "10.0.0.2" in source:
            raise RuntimeError("a driver's words")
        return Frame(np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8), 0.0)

    monkeypatch.setattr("edge.capture.camera.Camera.check", check)
    found = check_counters(load_config(write(tmp_path, HALL)), is_running=False)
    cameras = {each.counter: each for each in found if each.what == "camera"}
    assert [each.state == "wrong" for each in cameras.values()] == [True, True, False]
    assert "a driver's words" not in cameras["2"].text
    assert cameras["2"].fix
    assert [(each.counter, each.what) for each in found[:3]] == [("1", "tablet"), ("1", "camera"), ("1", "microphone")]
    _print(cameras["2"])
    row, fix = capsys.readouterr().out.splitlines()
    assert row.split()[1] == "2"
    assert fix.strip().startswith("-> ")


def test_a_tablet_is_paired_at_a_counter_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name it is not known which; the code of one is not another's."""
    config = enrolled(tmp_path, OF_TABLETS.replace("[tablet]", '[tablet]\nhost = "10.255.255.1"'))
    path = str(tmp_path / "edge.toml")
    assert main(["edge", "check", "--config", path, "--offline", "--json", "--pair-tablet"]) != 0
    assert not list(config.box.data_dir.glob("tablet*"))
    main(["edge", "check", "--config", path, "--offline", "--json", "--pair-tablet", "2"])
    assert [each.name for each in config.box.data_dir.glob("tablet*")] == ["tablet-2.code"]
    fixes = {each.counter: str(each.fix) for each in check_counters(config, False) if each.what == "tablet"}
    assert "--pair-tablet 1" in fixes["1"]
    assert "/quay/2" in fixes["2"]


def test_rows_of_a_table_stand_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("1", "tiep-dan-3"):
        _print(Finding("camera", "ok", "x", counter=name))
    first, second = capsys.readouterr().out.splitlines()
    assert first.index("x") == second.index("x")
