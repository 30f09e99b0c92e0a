"""All provinces of a store in one run: the digits of each alone; done once, after a kill too; anew after a change."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.bench_nation import extrapolated
from benchmarks.bench_pages import Shape, fill_large_province
from hailong.cli import main
from pipeline.calendar import parse_period
from pipeline.errors import InvalidError
from pipeline.instruments import load_instrument
from server.catalogue.writing import switch_agency
from server.core.scope import Scope
from server.reports import nation
from server.scores.index import compute_index
from server.store.engine import connect, read, write
from server.store.upgrade import upgrade

PERIOD = parse_period("2025")
SHAPE = Shape(quarters=("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4"), sheets=12)


@pytest.fixture(scope="module")
def provinces(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Two simulated provinces of four agencies."""
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('nation') / 'store.sqlite'}")
    upgrade(engine)
    for number in (1, 2):
        with write(engine) as connection:
            fill_large_province(connection, f"tinh-{number}", 4, Shape(SHAPE.quarters, SHAPE.sheets, seed=number))
    return engine


def _tasks(engine: Engine, folder: Path) -> list[nation.Task]:
    return nation.tasks_of(engine, folder / "instruments", folder / "out", PERIOD.name, "2640", None)


def test_one_command_scores_all_provinces_and_only_once(
    provinces: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = provinces.url.render_as_string()
    command = ["server", "score", "--nation", "--period", "2025", "--out", str(tmp_path / "out"), "--workers", "2"]
    command += ["--store", store, "--data-dir", str(tmp_path), "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in told["provinces"]] == ["tinh-1", "tinh-2"]
    with (tmp_path / "out" / "nation-2025.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    with read(provinces) as connection:
        for number, row in enumerate(rows, start=1):
            alone = compute_index(connection, number, load_instrument("2640"), PERIOD)
            folder = tmp_path / "out" / f"tinh-{number}"
            written = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            assert written.pop("fused")
            assert written == json.loads(json.dumps(alone.to_dict())), "to the digit"
            assert float(row["index"]) == alone.of("province")[0].figure("index").index
            assert row["simulated"] == "True"
            names = {path.name for path in folder.iterdir()}
            assert {"ranks.csv", "small-areas.csv", "reasons.csv", "so-lieu-tinh-1-2025-2640.xlsx"} - names <= {
                "so-lieu-tinh-1-2025-2640.xlsx"
            }
    assert {row["of"] for row in rows} == {"2"}
    # what is done is not done again, whoever asks
    tasks, again = _tasks(provinces, tmp_path), []
    nation.score_all(tasks, "processes", 1, lambda one, _left: again.append(one.code))
    assert again == []


def test_a_killed_province_leaves_nothing_that_looks_done_and_is_done_next_time(
    provinces: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _tasks(provinces, tmp_path)[0]

    def killed(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(nation, "index_sheets", killed)
        with pytest.raises(KeyboardInterrupt):
            nation.score_province(task)
    place = tmp_path / "out" / task.code
    assert nation.done(task) is None
    assert not place.exists()
    first = nation.score_province(task)
    assert nation.done(task) == first
    assert [path.name for path in (tmp_path / "out").iterdir()] == [task.code], "no half folder stays"
    (place / nation.DONE).write_text("{}")
    assert nation.done(task) is None, "a damaged one is done again"

    agency = next(iter(_agencies(provinces, task.province_id)))
    before = {one.code: one.key for one in _tasks(provinces, tmp_path)}
    assert before[task.code] == task.key
    with write(provinces) as connection:
        switch_agency(connection, Scope(task.province_id), agency, False, None)
    after = {one.code: one.key for one in _tasks(provinces, tmp_path)}
    assert [code for code in after if after[code] != before[code]] == [task.code], "a change asks for it alone anew"


def _agencies(engine: Engine, province_id: int) -> list[int]:
    """Ids of a province's agencies."""
    from server.catalogue.reading import read_catalogue

    with read(engine) as connection:
        return list(read_catalogue(connection, province_id).agencies)


def test_more_tasks_than_a_few_for_each_worker_come_to_their_end() -> None:
    """A pool whose processes ended after four tasks each made no new ones: of 34 provinces eight were scored."""
    found: list[int] = []
    run = threading.Thread(target=lambda: found.extend(nation.each_apart(abs, range(-11, 0), 2)), daemon=True)
    run.start()
    run.join(60)
    assert sorted(found) == list(range(1, 12))


def test_what_cannot_run_says_so(provinces: Engine, tmp_path: Path) -> None:
    base = ["server", "score", "--nation", "--period", "2025", "--store", provinces.url.render_as_string()]
    for more in ([], ["--out", str(tmp_path), "--engine", "abacus"], ["--out", str(tmp_path), "--workers", "0"]):
        assert main([*base, *more]) == 1
    with pytest.raises(InvalidError, match="Spark"):
        list(nation.ENGINES_BY_NAME["spark"](_tasks(provinces, tmp_path), 1))


def test_what_was_not_measured_is_called_extrapolated() -> None:
    sizes = [
        {"provinces": 2, "agencies": 100, "province_processor_s": 5.0},
        {"provinces": 2, "agencies": 200, "province_processor_s": 10.0},
    ]
    aim = extrapolated(sizes, workers=2)
    assert (aim["exponent"], aim["measured"]) == (1.0, False)
    assert aim["processor_minutes"] == pytest.approx(34 * 35 / 60, abs=0.1)
