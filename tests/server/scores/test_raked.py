"""The index weighted to known margins: imported, beside the official one, nothing of fewer than thirty people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select

from hailong.cli import main
from pipeline.calendar import parse_period
from pipeline.errors import HailongError, ImportRowError
from pipeline.instruments import Sheet, load_instrument
from pipeline.wire import ANSWER_SLOTS
from server.catalogue.margins import MARGINS
from server.core.scope import Scope
from server.ratings.admission import Gate
from server.ratings.rating import Place, Rating
from server.ratings.source import Source, SourceKind
from server.ratings.store import add
from server.scores.index import compute_index
from server.scores.kept_margins import NO_MARGINS, NOT_SETTLED, keep_margins
from server.scores.raked import NOT_KEPT, NOT_TOLD, TELLS_FEW, RakedIndex, _apart, raked_index
from server.store.channels import PAPER
from server.store.engine import read, write
from server.store.tables.margins import margins
from server.store.tables.users import Role
from server.tabular.spec import Options, import_file
from tests.server.client import Browser
from tests.server.province import application, fill_province
from tests.server.worlds import agency_id

LONG = load_instrument("1001")
QUARTER = parse_period("2026-Q1")
FORM = {"period": QUARTER.name, "instrument": "1001"}
AGES = [choice.number for choice in LONG.item("G1").choices]


def fill(store: Engine, province: int, agency: str, first: int = 0) -> None:
    """200 sheets of 1001: 110 of the first age band, of whom all are satisfied, 50 of the second with 25, 20 of the
    third with none; 20 do not tell and are satisfied."""
    with write(store) as connection:
        gate = Gate(connection, Scope(province), Source(SourceKind.SIMULATION))
        place = Place(province, agency_id(connection, province, agency))
        admitted = []
        for n in range(200):
            band = 0 if n < 110 else 1 if n < 160 else 2 if n < 180 else None
            good = n < 135 or n >= 180
            answers = [0] * ANSWER_SLOTS
            answers[:20] = [4 if good else 2] * 20
            more = {item.slot: 4 if good else 2 for item in LONG.of_block("policy")}
            if band is not None:
                more[LONG.slot_of("G1")] = AGES[band]
            day = QUARTER.first_day + n % 40
            rating = Rating.checked(LONG, Sheet(tuple(answers), more), place=place, channel=PAPER, day=day,
                                    today=QUARTER.first_day + 300)  # fmt: skip
            admitted.append(gate.admit(rating))
        add(connection, admitted, received_day=QUARTER.first_day + 60)


def import_margins(store: Engine, province: int, folder: Path, people: list[int], year: int | str = "") -> None:
    path = folder / "margins.csv"
    rows = [f"G1,{number},{count},{year}" for number, count in zip(AGES, people, strict=True)]
    path.write_text("\n".join(["question,choice,people,year", *rows]), encoding="utf-8")
    import_file(store, Scope(province), MARGINS, path)


def weighted(store: Engine, province: int) -> RakedIndex:
    """The quarter's, with the margins that are known now."""
    with write(store) as connection:
        keep_margins(connection, province, LONG, QUARTER, None)
    with read(store) as connection:
        return raked_index(connection, province, LONG, QUARTER)


@pytest.fixture
def province(store: Engine) -> int:
    made = fill_province(store, "rrr", simulated=False)
    fill(store, made.province_id, "rrr-a")
    return made.province_id


def test_weighted_figures_are_those_of_the_margins(store: Engine, province: int, tmp_path: Path) -> None:
    """Third band and the silent have 20 sheets each: taken together, with the smallest further ones in turn."""
    with read(store) as connection:
        assert raked_index(connection, province, LONG, QUARTER).problem == NO_MARGINS
        before = compute_index(connection, province, LONG, QUARTER, dimensions=("province",)).of("province")[0]
    import_margins(store, province, tmp_path, [200, 500, 200, 0, 0])
    found = weighted(store, province)
    with read(store) as connection:
        after = compute_index(connection, province, LONG, QUARTER, dimensions=("province",)).of("province")[0]
    assert found.problem is None
    (margin,) = found.margins
    shares = {tuple(map(str, one.names)): (one.target, one.sheets) for one in margin.categories}
    # told: 900 people for 180 sheets, and the silent keep their tenth: 100 of 1,000
    assert sorted((round(t, 6), round(s or 0.0, 6)) for t, s in shares.values()) == [
        (20.0, 55.0),
        (30.0, 20.0),
        (50.0, 25.0),
    ]
    assert any(str(NOT_TOLD) in names and len(names) == 2 for names in shares)
    overall = next(one for one in found.figures if one.official.item == "overall")
    # first band 1, second .5, third and silent together 20 of 40
    assert overall.raked.estimate == pytest.approx(0.2 * 1 + 0.5 * 0.5 + 0.3 * 0.5)
    assert overall.official.index == pytest.approx(100 * 155 / 200)
    assert overall.raked.low is not None
    assert overall.raked.high is not None
    assert overall.raked.low < 0.6 < overall.raked.high
    weights = np.repeat([0.2 / 110, 0.5 / 50, 0.3 / 40], [110, 50, 40])
    assert found.n_eff == pytest.approx(1 / np.square(weights).sum())
    assert [f.index for f in before.figures] == [f.index for f in after.figures], "the official index stays"


def test_the_newest_year_known_by_then_counts(store: Engine, province: int, tmp_path: Path) -> None:
    import_margins(store, province, tmp_path, [1, 1, 1, 1, 1], 2027)
    import_margins(store, province, tmp_path, [800, 100, 100, 0, 0], 2019)
    import_margins(store, province, tmp_path, [200, 500, 200, 0, 0], 2024)
    found = weighted(store, province)
    overall = next(one for one in found.figures if one.official.item == "overall")
    assert overall.raked.estimate == pytest.approx(0.6)


def test_a_repeated_import_changes_what_is_there(store: Engine, province: int, tmp_path: Path) -> None:
    import_margins(store, province, tmp_path, [1, 2, 3, 4, 5])
    import_margins(store, province, tmp_path, [5, 2, 3, 4, 5])
    with read(store) as connection:
        rows = connection.execute(select(margins.c.choice, margins.c.people).order_by(margins.c.choice)).all()
    assert [tuple(row) for row in rows] == list(zip(AGES, [5, 2, 3, 4, 5], strict=True))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A1,1,5,", "no question about oneself"),
        ("G1,99,5,", "no choice"),
        ("G1,1,-5,", "-5"),
        ("G1,1,many,", "many"),
        ("G1,1,5,1066", "1066"),
        ("G1,1,5,\nG1,1,6,", "the same"),
    ],
)
def test_bad_rows_are_told(store: Engine, tmp_path: Path, row: str, reason: str) -> None:
    made = fill_province(store, "rrr")
    path = tmp_path / "margins.csv"
    path.write_text(f"question,choice,people,year\n{row}\n", encoding="utf-8")
    with pytest.raises(ImportRowError) as caught:
        import_file(store, Scope(made.province_id), MARGINS, path, Options())
    assert any(reason in str(text) for _row, text in caught.value.rows)


def test_the_page_and_who_may_see_it(store: Engine, province: int, tmp_path: Path) -> None:
    app = application(store, tmp_path)
    browser = Browser(app)
    browser.log_in("analyst.rrr")
    address = f"/survey/raked?period={QUARTER.name}&instrument=1001"
    assert 'id="problem"' in browser.get(address).text
    import_margins(store, province, tmp_path, [200, 500, 200, 0, 0])
    page = browser.get(address).text
    assert 'id="problem"' in page
    assert "22,2" in page, "what is known of the population, 200 of 900"
    assert "55,0" not in page, "nothing of the sheets before"
    assert browser.post("/survey/raked", {**FORM, "sure": "true"}, form=address).status_code == 303
    page = browser.get(address).text
    assert 'id="raked"' in page
    assert "60,0" in page
    assert 'id="problem"' not in page
    assert "/survey/raked" in browser.get(f"/survey/index?period={QUARTER.name}&instrument=1001").text
    running = browser.get("/survey/raked?instrument=1001&period=2026-01").text
    assert 'id="problem"' in running, "of a part of a quarter nothing about people is told"
    other = Browser(app)
    other.log_in(Role.AGENCY_READER.value.replace("_", "-") + ".rrr")
    assert other.get(address).status_code == 404


def test_nothing_before_the_quarter_is_settled(store: Engine, province: int) -> None:
    with read(store) as connection:
        found = raked_index(connection, province, LONG, parse_period("2026-02"))
    assert found.problem == NOT_SETTLED


def test_margins_come_by_command(store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill_province(store, "rrr")
    path = tmp_path / "margins.csv"
    path.write_text("câu hỏi về bản thân;lựa chọn;dân số\nG1;1;1.234\nG2;2;99\n", encoding="utf-8")
    assert main(["server", "import", "margins", str(path), "--store", str(store.url), "--json"]) == 0
    assert '"added": 2' in capsys.readouterr().out


def fill_two(store: Engine, province: int, agency: str, secret: bool) -> None:
    """201 sheets of 1001: 100 of the first age band and sex, 100 of the second of both; one of the first band and the
    second sex, satisfied where `secret`. Of the others half are satisfied."""
    sexes = [choice.number for choice in LONG.item("G2").choices]
    with write(store) as connection:
        gate = Gate(connection, Scope(province), Source(SourceKind.SIMULATION))
        place = Place(province, agency_id(connection, province, agency))
        admitted = []
        for n in range(201):
            band, sex = (0, 0) if n < 100 else (1, 1) if n < 200 else (0, 1)
            good = secret if n == 200 else n % 2 == 0
            answers = [0] * ANSWER_SLOTS
            answers[:20] = [4 if good else 2] * 20
            more = {item.slot: 4 if good else 2 for item in LONG.of_block("policy")}
            more |= {LONG.slot_of("G1"): AGES[band], LONG.slot_of("G2"): sexes[sex]}
            rating = Rating.checked(LONG, Sheet(tuple(answers), more), place=place, channel=PAPER,
                                    day=QUARTER.first_day + n % 40, today=QUARTER.first_day + 300)  # fmt: skip
            admitted.append(gate.admit(rating))
        add(connection, admitted, received_day=QUARTER.first_day + 60)


def import_two(store: Engine, province: int, folder: Path, ages: list[float], sexes: list[float]) -> None:
    path = folder / "margins.csv"
    numbers = [choice.number for choice in LONG.item("G2").choices]
    rows = [f"G1,{number},{round(1e6 * share)}" for number, share in zip(AGES, ages, strict=False)]
    rows += [f"G2,{number},{round(1e6 * share)}" for number, share in zip(numbers, sexes, strict=False)]
    path.write_text("\n".join(["question,choice,people", *rows]), encoding="utf-8")
    import_file(store, Scope(province), MARGINS, path)


@pytest.mark.parametrize("secret", [True, False])
def test_margins_made_up_to_part_one_sheet_from_all_others_give_no_figures(
    store: Engine, tmp_path: Path, secret: bool
) -> None:
    """The attack: margins under which all sheets but one weigh the same. Every margin's category is of a hundred, and
    yet the weighted figure less the official one is that one sheet's answer."""
    made = fill_province(store, "rrr", simulated=False)
    fill_two(store, made.province_id, "rrr-a", secret)
    other = 2.0
    total = 200 + other
    import_two(store, made.province_id, tmp_path, [(100 + other) / total, 100 / total],
               [100 / total, (100 + other) / total])  # fmt: skip
    found = weighted(store, made.province_id)
    assert found.problem == TELLS_FEW
    overall = [one for one in found.figures if one.official.item == "overall"]
    told = [100 * (one.raked.estimate or 0.0) > (one.official.index or 0.0) for one in overall]
    assert told == [], f"the one sheet was {'satisfied' if secret else 'not satisfied'}, and the page says {told}"


def test_sheets_are_weighted_once(store: Engine, province: int, tmp_path: Path) -> None:
    """The attack: margins, or transactions, imported again and again, each time another weighted figure of the same
    sheets; a year and a longer period weighted for a further one."""
    import_margins(store, province, tmp_path, [200, 500, 200, 0, 0])
    with read(store) as connection:
        assert raked_index(connection, province, LONG, QUARTER).problem == NOT_KEPT
    first = weighted(store, province)
    figures = set()
    for turn in range(20):
        import_margins(store, province, tmp_path, [100 + turn, 500, 200, 0, 0], "" if turn % 2 else 2010 + turn % 16)
        for name in ("2026-Q1", "2026-01..2026-06", "2026", "2026-01"):
            with write(store) as connection, pytest.raises(HailongError):
                keep_margins(connection, province, LONG, parse_period(name), None)
        with read(store) as connection:
            again = raked_index(connection, province, LONG, QUARTER)
            assert not raked_index(connection, province, LONG, parse_period("2026-01..2026-06")).figures
        figures.add(tuple(one.raked.estimate for one in again.figures))
        assert again.margins == first.margins
    assert figures == {tuple(one.raked.estimate for one in first.figures)}


@pytest.mark.parametrize(
    ("place", "weight", "apart"),
    [
        ([0, 0, 0, 0], [1.0, 1.0, 1.0, 1.0], 0),
        ([0, 0, 0, 0], [1.0, 1.01, 1.0, 3.0], 1),
        ([0, 0, 0, 0], [1.0, 1.01, 1.02, 1.03], 1),
        ([1, 0, 1, 0], [1.0, 3.0, 1.0, 3.0], 0),
        ([1, 0, 1, 0, 0], [1.0, 3.0, 2.0, 3.0, 1.0], 2),
    ],
)
def test_sheets_that_weigh_something_else_than_most(place: list[int], weight: list[float], apart: int) -> None:
    assert _apart(np.array(place), np.array(weight)) == apart
