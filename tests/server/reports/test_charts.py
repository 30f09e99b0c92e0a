"""Charts of a report can be read on a page of A4, however many agencies there are and however long their names."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from calibration.ranks import RankSet
from server.documents.writer import Writer
from server.reports.charts import Labelled, bar_chart, interval_charts, rank_charts
from server.scores.figures import Figure

LONG = "Ban Quản lý các khu kinh tế, khu công nghiệp và khu công nghệ cao"


def _row(number: int, index: float) -> Labelled:
    figure = Figure("index", "index", 900, None, index, index - 2, index + 2, *(None,) * 5, suppressed=False)
    return Labelled(LONG if number == 3 else f"Xã {number}", figure)


ROWS = 5


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.reports.charts.ROWS", ROWS)


def test_many_agencies_take_several_charts_on_one_scale() -> None:
    rows = [_row(number, 98.0 - 4 * number) for number in range(2 * ROWS + 1)]
    charts = interval_charts(rows, "co-quan", "Chỉ số", Writer("vi"), reference=80.0)
    assert [chart.name for chart in charts] == ["co-quan-1", "co-quan-2", "co-quan-3"]
    assert [chart.caption for chart in charts] == ["Chỉ số (1/3)", "Chỉ số (2/3)", "Chỉ số (3/3)"]
    shown = [re.findall(r">Xã (\d+)<", chart.svg) for chart in charts]
    assert max(map(len, shown)) <= ROWS
    assert [int(number) for part in shown for number in part] == [n for n in range(2 * ROWS + 1) if n != 3]
    assert all(">50<" in chart.svg and ">100<" in chart.svg for chart in charts), "the lowest of all ends at 56"
    assert [chart.name for chart in interval_charts(rows[:4], "co-quan", "", Writer("vi"))] == ["co-quan"]


def test_ranks_of_many_agencies_keep_their_number() -> None:
    of = 2 * ROWS
    sets = [RankSet(str(one), one, min(of, one + 3), of) for one in range(1, of + 1)]
    charts = rank_charts(sets, {one.name: f"Xã {one.name}" for one in sets}, "khoang-hang", "", Writer("vi"))
    assert len(charts) == 2
    ends = [max(map(int, re.findall(r">(\d+)<", one.svg))) for one in charts]
    assert ends[0] == ends[1] == of, "one scale of all ranks"


def test_a_long_name_takes_two_lines_and_no_room_from_the_plot() -> None:
    (chart,) = interval_charts([_row(3, 80.0), _row(4, 81.0)], "co-quan", "", Writer("vi"))
    assert LONG not in chart.svg
    assert ">Ban Quản lý các khu kinh tế, khu công nghiệp<" in chart.svg


@pytest.mark.parametrize("letters", [40, 90, 135, 200])
def test_lines_of_long_names_stand_apart(letters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of three and four lines were written over each other: nobody could read one."""
    monkeypatch.setattr("server.reports.charts.ROWS", 40)
    name = ("Trung tâm Phục vụ hành chính công " * 7)[:letters].strip()
    rows = [
        Labelled(f"{number} {name}", replace(_row(number, 80.0).figure, index=90.0 - number / 2))
        for number in range(30)
    ]
    charts = interval_charts(rows, "co-quan", "", Writer("vi"))
    for chart in charts:
        labels = re.findall(r'<text[^>]*transform="translate\(-?[\d.]+,(-?[\d.]+)\)"[^>]*>(.*?)</text>', chart.svg)
        names = [(float(y), words.count("<tspan") or 1) for y, words in labels if "Trung" in words]
        assert names
        ends = [(y, y + 12 * (lines - 1)) for y, lines in sorted(names)]
        assert all(first[1] + 11 <= second[0] for first, second in pairwise(ends))
        height = float(re.search(r'height="([\d.]+)"', chart.svg)[1])  # type: ignore[index]
        assert height <= 40 * 26 + 60, "on a page of A4 the letters stay as large as with two lines"
    shown = re.findall(r">(\d+) Trung", "".join(chart.svg for chart in charts))
    assert sorted(map(int, shown)) == list(range(30))


def test_what_a_name_holds_stays_text_in_the_picture() -> None:
    """A chart is drawn by us: markup, control characters and signs of other directions cannot break or fill it."""
    name = '<script>alert(1)</script> & "UBND" \x07\u202eXã\x00 ]]> &amp; <!--'
    (chart,) = interval_charts([replace(_row(1, 80.0), label=name)], "co-quan", "", Writer("vi"))
    (ranks,) = rank_charts([RankSet("a", 1, 2, 2)], {"a": name}, "hang", "", Writer("vi"))
    bars = bar_chart([(name, 3)], "mong-doi", "", name, "vi")
    for one in (chart, ranks, bars):
        words = "".join(ElementTree.fromstring(one.svg).itertext())
        assert "alert(1)</script>" in words
        assert "XÃ" in words.upper()
        assert not {"\x07", "\u202e", "\x00"} & set(one.svg)
        assert {part.tag.partition("}")[2] for part in ElementTree.fromstring(one.svg).iter()} <= {
            "svg", "rect", "path", "text", "tspan", "circle"
        }  # fmt: skip


def test_the_picture_is_as_wide_as_what_is_drawn() -> None:
    (chart,) = interval_charts([_row(3, 80.0), _row(4, 81.0)], "co-quan", "", Writer("vi"))
    width, height = (int(re.search(f' {side}="([0-9]+)"', chart.svg)[1]) for side in ("width", "height"))  # type: ignore[index]
    assert chart.png[:8] == b"\x89PNG\r\n\x1a\n"
    found = [int.from_bytes(chart.png[at : at + 4], "big") for at in (16, 20)]
    assert found == pytest.approx([2 * width, 2 * height], abs=1)
