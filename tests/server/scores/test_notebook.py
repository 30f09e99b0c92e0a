"""The worked notebook runs from beginning to end, and its figures are honest ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebooks" / "implicit_meets_explicit.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs() -> None:
    spec = importlib.util.spec_from_file_location("notebook", NOTEBOOK)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    _, names = module.app.run()
    assert names["made"].agencies == 26
    assert names["boxes"].boxes == 26
    assert all(curve.calibrated for curve in names["found"].analysis.curves.values())
    assert names["wider"] == [], "never more than 3 % wider than from ratings alone"
    saved = {
        rho: sum(a.fused.efficiency.labels_saved for a in world.agencies) for rho, world in names["worlds"].items()
    }
    assert saved[0.5] > 100 > saved[0.0] >= 0, "it helps where it correlates, and only there"
    for row in names["agencies"]:
        assert row["index"] is None or 0 <= row["low"] <= row["index"] <= row["high"] <= 100
    for row in names["tables"]["ranks"]:
        assert 1 <= row["best"] <= row["worst"] <= row["of"]
    names["folder"].cleanup()
