"""The worked notebook runs from beginning to end, and its figures are honest ones."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

EXPORT = Path(__file__).parents[3] / "docs" / "notebooks" / "export.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs() -> None:
    spec = importlib.util.spec_from_file_location("notebook_export", EXPORT)
    assert spec is not None
    assert spec.loader is not None
    export: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(export)
    outputs, names = export.load_app().run()
    page = export.page_of(list(outputs), "vi")
    for words in ("Số liệu mô phỏng", "Ý nghĩa các mức của tín hiệu", "Hạng thấp nhất", "Sở Tư pháp", "<svg"):
        assert words in page, "in Vietnamese, with its pictures"
    told = re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]*>", " ", page, flags=re.S)
    assert not re.search(r"\b(explicit|efficiency|correction)\b", told), "no English word for an estimate"
    assert not re.search(r"\d\.\d", told), "a comma before decimals"
    assert not re.search(r"\d[.,]\d{3,}", re.sub(r"<svg.*?</svg>", "", page, flags=re.S)), "figures are rounded"
    with pytest.raises(ValueError, match="more than itself"):
        export.page_of([SimpleNamespace(text='<script src="x.js">')], "vi")
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
