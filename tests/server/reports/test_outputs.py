"""What comes out: export, the index recomputed from it by hand, reports, and the commands on a generated province."""

from __future__ import annotations

import csv
import io
import json
import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from docx import Document
from pyarrow import parquet
from sqlalchemy import Engine, update

from hailong.cli import main
from pipeline.calendar import parse_period
from pipeline.instruments import instrument_bytes, load_instrument, use_folder
from server.documents.blocks import Heading, Paragraph
from server.ratings.export import export_ratings, write_dictionary
from server.ratings.imports import import_ratings
from server.reports.compared import compared
from server.reports.content import make_report
from server.reports.figures import FigureWriter
from server.reports.sources import gather
from server.scores.comparing import difference, effective, ranking
from server.scores.index import compute_index
from server.scores.standings import surely_low
from server.simulation.province import simulate_province
from server.store.engine import connect, read, write
from server.store.tables.ratings import ratings
from server.store.upgrade import upgrade
from tests.server.worlds import small_province

PERIOD = parse_period("2026-Q3")
pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, str]]:
    """A generated province of 26 agencies (14 departments, 12 communes and wards), five quarters."""
    url = f"sqlite:///{tmp_path_factory.mktemp('province') / 'store.sqlite'}"
    engine = connect(url)
    upgrade(engine)
    with write(engine) as connection:
        simulate_province(connection, seed=1, quarters=5, sheets_a_quarter=900, communes=12)
    yield engine, url
    engine.dispose()


def test_a_generated_province_is_the_same_for_the_same_seed(simulated: tuple[Engine, str], store: Engine) -> None:
    with write(store) as connection:
        made = simulate_province(connection, seed=1, quarters=5, sheets_a_quarter=900, communes=12)
    assert made.agencies == 26
    figures = []
    for engine in (simulated[0], store):
        with read(engine) as connection:
            figures.append(compute_index(connection, 1, load_instrument("2640"), PERIOD, dimensions=("agency",)))
    assert figures[0] == figures[1]
    assert figures[0].simulated


def test_the_official_index_by_hand_from_the_export(simulated: tuple[Engine, str], tmp_path: Path) -> None:
    """Every agency, criterion, factor and the whole, by counting lines of the CSV: nothing of ours is used for it."""
    instrument = load_instrument("2640")
    with read(simulated[0]) as connection:
        export_ratings(connection, 1, instrument, PERIOD, tmp_path / "out.csv")
        result = compute_index(connection, 1, instrument, PERIOD, suppress_below=1, dimensions=("province", "agency"))
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["counted"] == "1"]
    sizes = {"A": 4, "B": 5, "C": 6, "D": 3, "E": 4}
    criteria = [f"{factor}{n}" for factor, count in sizes.items() for n in range(1, count + 1)]
    groups = {factor: [c for c in criteria if c[0] == factor] for factor in "ABCDE"}
    wanted = {**{c: [c] for c in criteria}, **groups, "overall": ["overall"], "index": criteria}
    checked = 0
    for place in result.places:
        mine = lines if place.dimension == "province" else [line for line in lines if line["agency"] == place.key]
        assert len(mine) == place.sheets
        for figure, columns in wanted.items():
            answers = [line[column] for line in mine for column in columns if line[column] in "12345"]
            satisfied = sum(answer in "45" for answer in answers)
            found = place.figure(figure)
            assert (found.valid, found.satisfied) == (len(answers), satisfied)
            assert found.index == pytest.approx(100 * satisfied / len(answers), abs=1e-4)
            checked += 1
    assert checked == 27 * (22 + 5 + 2)


def test_parquet_holds_the_same_and_the_dictionary_names_every_column(
    simulated: tuple[Engine, str], tmp_path: Path
) -> None:
    instrument = load_instrument("2640")
    with read(simulated[0]) as connection:
        count = export_ratings(connection, 1, instrument, PERIOD, tmp_path / "out.parquet", form="parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    write_dictionary(instrument, tmp_path / "dictionary.csv")
    with (tmp_path / "dictionary.csv").open(encoding="utf-8-sig", newline="") as file:
        named = {line["column"] for line in csv.DictReader(file)}
    assert table.num_rows == count
    assert set(table.column_names) == named
    assert not {"origin", "id", "province_id"} & named


def test_report_content(simulated: tuple[Engine, str]) -> None:
    with read(simulated[0]) as connection:
        data = gather(connection, 1, load_instrument("2640"), PERIOD)
    report = make_report(data)
    headings = [block.text for block in report.blocks if isinstance(block, Heading)]
    assert headings[0] == "1. Tóm tắt"
    assert "7. So với cùng kỳ năm trước" in headings
    assert "MÔ PHỎNG" in report.notice
    assert data.before.period == "2025-Q3"
    assert parse_period("2026").year_before().name == "2025"
    sets = ranking(data.result.of("agency"))
    assert any(one.worst > one.best for one in sets)
    best = max(data.result.of("agency"), key=lambda place: place.figure("index").index or 0.0)
    assert next(one for one in sets if one.name == best.key).best == 1
    place = data.result.of("province")[0]
    low = surely_low(data.result.of("agency"), place)
    said = [block.text for block in report.blocks if isinstance(block, Paragraph)]
    (named,) = (text for text in said if "chắc chắn thấp hơn toàn tỉnh, cần tìm nguyên nhân trước" in text)
    assert low
    assert named.startswith(f"{len(low)} cơ quan")
    assert all(f"{one.name} (" in named for one in low[:10])
    assert report.subtitle == "Tỉnh Mẫu (mô phỏng), quý III năm 2026"


def test_a_yearly_report_compares_once_and_names_years_within_a_sentence(simulated: tuple[Engine, str]) -> None:
    """The year before is the period before: one comparison; `năm 2024` within a sentence, `Năm 2024` in a head."""
    with read(simulated[0]) as connection:
        data = gather(connection, 1, load_instrument("2640"), parse_period("2025"))
    blocks = compared(data, FigureWriter("vi"))
    assert [block.text for block in blocks if isinstance(block, Heading)] == ["7. So với cùng kỳ năm trước"]
    (said,) = (block.text for block in blocks if isinstance(block, Paragraph))
    assert said == "Không có số liệu của năm 2024 với cùng bộ câu hỏi và phiên bản."
    assert FigureWriter("vi").within(parse_period("2025")) == "năm 2025"


def test_change_between_years_carries_both_errors(simulated: tuple[Engine, str]) -> None:
    with read(simulated[0]) as connection:
        now = compute_index(connection, 1, load_instrument("2640"), PERIOD, dimensions=("province",))
    figure = now.of("province")[0].figure("index")
    assert figure.index is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.degrees is not None
    change = difference(figure, figure)
    assert change is not None
    assert change.points == 0.0
    # the figure's own ends, squared and added: both errors count
    assert change.high == pytest.approx(math.hypot(figure.high - figure.index, figure.index - figure.low), rel=1e-3)
    of_many = difference(figure, figure, lines=33)
    assert of_many is not None
    assert of_many.high > 1.4 * change.high
    assert effective(figure) < (figure.valid or 0)


def test_commands(simulated: tuple[Engine, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`score`, `plan`, `report`, `export`, `import` as a person types them."""
    store = ["--store", simulated[1]]
    assert main(["server", "score", *store, "--period", "2026-Q3", "--instrument", "2640", "--json", "--no-fused"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert len([place for place in scored["places"] if place["dimension"] == "agency"]) == 26
    assert scored["simulated"] is True
    plan = [
        "server",
        "plan",
        *store,
        "--round",
        "2026-Q3",
        "--frame",
        "2026-Q3",
        "--code",
        "k",
        "--seed",
        "9",
        "--json",
    ]
    assert main(plan) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["forms"] == sum(row["forms"] for row in planned["strata"])
    assert main(["server", "plan", *store, "--show", "none"]) == 1
    assert "There is no plan" in capsys.readouterr().err
    assert main(["server", "report", *store, "--period", "2026-Q3", "--out", str(tmp_path / "r"), "--json"]) == 0
    files = [Path(name) for name in json.loads(capsys.readouterr().out)["files"]]
    kinds = {path.suffix for path in files}
    assert kinds == {".docx", ".pdf", ".xlsx", ".svg", ".png"}
    document = Document(io.BytesIO(next(p for p in files if p.suffix == ".docx").read_bytes()))
    lines = [paragraph.text for paragraph in document.paragraphs]
    assert lines.index("BÁO CÁO") + 1 == [line[:18] for line in lines].index("Về chỉ số hài lòng")
    assert len(document.tables) >= 8
    assert len(document.inline_shapes) >= 4
    book = openpyxl.load_workbook(next(p for p in files if p.suffix == ".xlsx"))
    assert {"Cơ quan", "Kênh", "Lĩnh vực"} <= set(book.sheetnames)
    assert next(p for p in files if p.suffix == ".pdf").read_bytes().startswith(b"%PDF")
    bad = tmp_path / "bad.csv"
    bad.write_text("agency,day,overall\nso-y-te,1/7/2026,9\n", encoding="utf-8")
    assert main(["server", "import", "ratings", str(bad), *store, "--channel", "sms"]) == 1
    said = capsys.readouterr().err
    assert "row 2: overall: '9' is not on the scale" in said
    assert "nothing was imported" in said
    assert main(["server", "import", "--columns"]) == 0
    assert "ratings: agency, day" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "--period", "Q3"], "is no period"),
        (["score", "--period", "2026-Q3", "--instrument", "9999"], "There is no instrument 9999"),
        (["score", "--period", "2026-Q3", "--by", "colour"], "no dimension"),
        (["report", "--period", "2021", "--out", "x"], "no ratings"),
        (["plan", "--round", "2026-Q3"], "needs --round and --frame"),
        (["import", "ratings"], "A kind and a file are needed"),
    ],
)
def test_wrong_arguments_are_told(
    simulated: tuple[Engine, str], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["server", *arguments, "--store", simulated[1]]) == 1
    assert message in capsys.readouterr().err


def test_a_new_instrument_is_a_file_and_no_code(
    store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Put into the server's folder: imported with, scored, reported."""
    _, content = instrument_bytes("2640")
    text = content.decode().replace('code = "2640"', 'code = "9001"', 1).replace("wire_code = 201", "wire_code = 901")
    folder = tmp_path / "data" / "instruments"
    folder.mkdir(parents=True)
    (folder / "9001.toml").write_text(text, encoding="utf-8")
    with write(store) as connection:
        small_province(connection)
    sheets = tmp_path / "in.csv"
    lines = [f"P{n},so-a,{n + 1}/7/2026,{1 + n % 5},{5 - n % 2}" for n in range(28)]
    sheets.write_text("form,agency,day,overall,C1\n" + "\n".join(lines), encoding="utf-8")
    where = ["--data-dir", str(tmp_path / "data"), "--store", str(store.url), "--instrument", "9001"]
    assert main(["server", "import", "ratings", str(sheets), *where, "--channel", "sms"]) == 0
    with write(store) as connection:  # a file counts from the day after it came
        connection.execute(update(ratings).values(received_day=ratings.c.day))
    shown = ["--period", "2026-07", "--json", "--no-fused", "--suppress-below", "1"]
    assert main(["server", "score", *where, *shown]) == 0
    scored = json.loads(capsys.readouterr().out.splitlines()[-1])
    overall = next(figure for figure in scored["places"][0]["figures"] if figure["item"] == "overall")
    assert (overall["valid"], overall["satisfied"]) == (28, 10)
    assert main(["server", "score", *where, "--instrument", "nothing", "--period", "2026-07"]) == 1
    use_folder(None)


def test_memory_does_not_grow_with_the_file(store: Engine, tmp_path: Path) -> None:
    """Peak of Python's allocations while a file is checked: what a further row adds is less than a row that is held
    (its form's code, not to be met twice, stays). The first run is for what is imported and cached once."""
    with write(store) as connection:
        province = small_province(connection)
    peaks = []
    sizes = (200, 2_000, 12_000)
    for count in sizes:
        path = tmp_path / f"{count}.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("form,agency,day,overall\n")
            file.writelines(f"P{n},so-a,1/7/2026,{1 + n % 5}\n" for n in range(count))
        tracemalloc.start()
        found = import_ratings(
            store, province, path, load_instrument("2640"), channel="sms", preview=True, key=bytes(32)
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.added == count
    assert (peaks[2] - peaks[1]) / (sizes[2] - sizes[1]) < 200
