"""By what imported sheets are known again: nothing in the store leads to the form program's record of a sheet."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from pipeline.calendar import today
from pipeline.errors import StoreError
from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.channels.paper.paper import print_forms
from server.core.scope import Scope
from server.ratings.audit import audit_ratings
from server.ratings.chain import extend, seal
from server.ratings.imports import RatingImport, import_ratings
from server.ratings.origins import BEFORE, SHEET, OriginKey, find_origins, seal_open_origins
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.rating_chains import rating_chains
from server.store.tables.ratings import ratings
from server.tabular.spec import Options
from tests.server.worlds import agency_id, small_province

KEY = bytes(range(32))
UUIDS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7")


@pytest.fixture
def province(store: Engine) -> int:
    with write(store) as connection:
        return small_province(connection)


def _import(store: Engine, province: int, path: Path, key: bytes = KEY, options: Options | None = None) -> RatingImport:
    return import_ratings(store, province, path, load_instrument("2640"), channel="sms", key=key, options=options)


def _export(path: Path, *, number: str = "_uuid") -> Path:
    rows: list[tuple[object, ...]] = [
        (number, "agency", "day", "overall"),
        *((uuid, "so-a", "5/7/2026", 4) for uuid in UUIDS),
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def _origins(store: Engine) -> list[str]:
    with read(store) as connection:
        return list(connection.execute(select(ratings.c.origin).order_by(ratings.c.id)).scalars())


@pytest.mark.parametrize("number", ["_uuid", "Response ID", "KEY", "form", "note"])
def test_the_programs_number_stands_nowhere_in_the_store(
    store: Engine, province: int, tmp_path: Path, number: str
) -> None:
    """`note`: a file without any number, of which the row and the file's digest stood there."""
    path = _export(tmp_path / "e.csv", number=number)
    assert _import(store, province, path).added == 2
    assert all(one.startswith(SHEET) for one in _origins(store))
    whole = store.url.database
    assert whole is not None
    stored = b"".join(one.read_bytes() for one in Path(whole).parent.glob(f"{Path(whole).name}*"))
    assert not [uuid for uuid in UUIDS if uuid.encode() in stored or uuid.upper().encode() in stored]
    again = _import(store, province, path)
    assert (again.added, again.existing) == (0, 2)


@pytest.mark.parametrize("older", [False, True], ids=["sealed", "sealed later"])
def test_under_another_key_nothing_is_imported_unless_it_is_lost(
    store: Engine, province: int, tmp_path: Path, older: bool
) -> None:
    """A lost key was made anew without a word, and a file that had been imported counted twice."""
    path = _export(tmp_path / "e.csv")
    assert _import(store, province, path).added == 2
    if older:
        with write(store) as connection:
            connection.execute(update(ratings).values(origin=func.replace(ratings.c.origin, SHEET, BEFORE)))
    with pytest.raises(StoreError, match=r"sheets\.secret is not the key"):
        _import(store, province, path, bytes(32))
    assert len(_origins(store)) == 2
    assert _import(store, province, path, bytes(32), Options(key_lost=True)).added == 2, (
        "under another key nobody can tell them"
    )
    again = _import(store, province, path, bytes(32))
    assert (again.added, again.existing) == (0, 2), "from then on the new key is the province's"


def test_no_key_of_another_length_seals(province: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        OriginKey(b"", province)
    one, other = OriginKey(KEY, province), OriginKey(KEY, province + 1)
    assert one.seal("form:1") == one.seal("form:1") != other.seal("form:1")
    assert one.open(BEFORE + one.seal("form:1")) == "form:1"
    with pytest.raises(ValueError, match="was:"):
        other.open(BEFORE + one.seal("form:1"))


def test_what_stood_in_the_clear_is_sealed_and_its_chains_hold(store: Engine, province: int, tmp_path: Path) -> None:
    """Digests of before are in the log of changes: they are of the clear form, which the audit opens."""
    path, scope = _export(tmp_path / "e.csv"), Scope(province)
    _import(store, province, path)
    with write(store) as connection:  # as a version before stored them
        connection.execute(rating_chains.delete())
        rows: list[dict[str, object]] = []
        for row in [dict(one) for one in connection.execute(scope.select(ratings).order_by(ratings.c.id)).mappings()]:
            row |= {"origin": f"form:{UUIDS[len(rows)].upper()}", "received_day": today() - 1}
            connection.execute(ratings.update().where(ratings.c.id == row["id"]).values(row))
            rows.append(row)
        extend(connection, scope, rows, [(), ()])
        assert seal(connection, scope) == 1
    assert seal_open_origins(store, lambda: KEY) == 2
    assert seal_open_origins(store, lambda: pytest.fail("nothing is left")) == 0
    assert all(one.startswith(BEFORE) for one in _origins(store))
    with read(store) as connection:
        assert audit_ratings(connection, scope, lambda: KEY).differences == ()
        assert audit_ratings(connection, scope, lambda: bytes(32)).differences, "another key opens nothing"
        (first, _) = _origins(store)
        assert list(find_origins(connection, scope, [SHEET + first.removeprefix(BEFORE)])) == [
            SHEET + first.removeprefix(BEFORE)
        ]
    again = _import(store, province, path)
    assert (again.added, again.existing) == (0, 2), "known again"
    with write(store) as connection:
        connection.execute(ratings.update().where(ratings.c.a00 == 4).values(a00=5))
        assert audit_ratings(connection, scope, lambda: KEY).differences


def test_a_printed_forms_code_stays_and_is_known_again(store: Engine, province: int, tmp_path: Path) -> None:
    """A form that the province printed itself is in its store already, and its entry by hand is the same sheet."""
    with write(store) as connection:
        made = make_round(
            connection, province, code="q4", name=Text.named(vi="Quý IV"), instrument="2640", first_day=today() - 10,
            last_day=today() + 30, user_id=None,
        )  # fmt: skip
        agency = agency_id(connection, province, "so-a")
        (code,) = print_forms(connection, province, made.id, agency, count=1, double_share=0)
    path = tmp_path / "in.csv"
    path.write_text(f"form,agency,day,overall\n{code.lower()},so-a,5/7/2026,4\nother,so-a,5/7/2026,4\n")
    _import(store, province, path)
    assert [one.partition(":")[0] for one in _origins(store)] == ["form", "sheet"]
    assert seal_open_origins(store, lambda: pytest.fail("a printed form's code stays")) == 0
