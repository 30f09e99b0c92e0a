"""The benchmark of the door measures what it says: everything that was sent is stored."""

from __future__ import annotations

import json

import pytest

from hailong.cli import main


def test_the_benchmark_of_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ingest", "--boxes", "2", "--messages", "200", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["messages"] == found["stored"] == 200
    assert found["drops"] == {}
    assert 0 < found["ack_ms_p50"] <= found["ack_ms_p95"]
    assert found["messages_per_commit"] >= 1
