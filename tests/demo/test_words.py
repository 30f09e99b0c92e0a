"""What the demo says comes from the catalogues."""

from __future__ import annotations

from pathlib import Path

import pytest

from hailong.demo_result import summary

RESULT = {
    "visits": 1_234,
    "releases_sent": 5,
    "releases_stored": 4,
    "ratings_stored": 7,
    "sent_is_stored": False,
    "agencies": [
        {"id": "so", "index_explicit": 81.25, "ci_low": 70.0, "ci_high": 90.0, "index_fused": None, "n_explicit": 7,
         "n_implicit": 12}
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "first", "second"),
    [
        (
            "vi",
            "1.234 lượt giao dịch, đã gửi 5 bản công bố, đã lưu 4 bản",
            "81,2 [70,0; 90,0], ước lượng kết hợp: chưa",
        ),
        ("en", "1,234 visits, 5 releases sent, 4 stored", "81.2 [70.0, 90.0], fused: not calibrated (7 ratings"),
    ],
)
def test_the_result_is_told_in_the_language_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lang: str, first: str, second: str
) -> None:
    monkeypatch.setenv("LANGUAGE", lang)
    lines = summary(RESULT, tmp_path).splitlines()
    assert lines[0].startswith(first)
    assert ("CHƯA" in lines[0]) == (lang == "vi")
    assert second in lines[1]
    assert "everything sent is stored" not in summary(RESULT, tmp_path)
