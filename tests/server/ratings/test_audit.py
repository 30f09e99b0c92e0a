"""What was changed, added or removed in the data base is found; what the application did is not."""

from __future__ import annotations

import json
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from hailong.cli import main
from pipeline import wire
from pipeline.calendar import INDOCHINA, day_date, today
from pipeline.instruments import RatingFlag, load_instrument
from pipeline.keys import new_keys
from server.core.changes import record_change
from server.core.log_heads import changes_head
from server.core.scope import Scope
from server.ratings.audit import audit_ratings
from server.ratings.chain import LATEST_S, grow, row_text, seal, seal_all
from server.ratings.imports import import_ratings
from server.ratings.store import restore, set_aside
from server.simulation.province import simulate_province
from server.store.archive import backup
from server.store.archive import restore as restore_backup
from server.store.engine import connect, read, write
from server.store.tables.changes import changes
from server.store.tables.rating_chains import rating_chains
from server.store.tables.ratings import ratings
from tests.delivery.conftest import Place, enrol_directly, make_place
from tests.server.boxes.test_unfit_sheets import CODE, send
from tests.server.province import fill_province

SHEET = (4, 4, 5, *([0] * 29))


@pytest.fixture
def office(any_store: Engine, tmp_path: Path) -> Place:
    """A box's and a file's sheets, received yesterday and sealed; one was set aside and counted again since."""
    office = make_place(any_store)
    box = enrol_directly(any_store, office, "quầy 1")
    for sequence in (1, 2):
        rows = [wire.RatingRow(CODE, 7, SHEET, 0, 0)] * 5 + [wire.RatingRow(CODE, 7, SHEET, 0, 1)]
        send(any_store, box.box_id, sequence, today() - 1, rows)
    lines = [f"P{n},so-tu-phap,5/7/2026,{n % 5 + 1}" for n in range(20)]
    (tmp_path / "in.csv").write_text("\n".join(["form,agency,day,overall", *lines]), encoding="utf-8")
    import_ratings(
        any_store, office.province_id, tmp_path / "in.csv", load_instrument("2640"), channel="sms", key=bytes(32)
    )
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        connection.execute(ratings.update().values(received_day=today() - 1))
        _rechain(connection, scope)
        assert seal(connection, scope) == 2
        assert seal(connection, scope) == 0
        set_aside(connection, scope, 3, RatingFlag.INCONSISTENT, None)
        restore(connection, scope, 3, None)
        restore(connection, scope, 6, None)
        set_aside(connection, scope, 9, RatingFlag.INCONSISTENT, None)
    return office


def _rechain(connection: Connection, scope: Scope) -> None:
    """As if everything had been stored yesterday."""
    from server.ratings.chain import extend

    connection.execute(rating_chains.delete())
    for source, channel in connection.execute(
        scope.select(ratings, ratings.c.source, ratings.c.channel).distinct()
    ).all():
        query = scope.select(ratings).where(ratings.c.source == source, ratings.c.channel == channel)
        rows = [dict(row) for row in connection.execute(query.order_by(ratings.c.id)).mappings()]
        extend(connection, scope, rows, [()] * len(rows))


def _found(store: Engine, office: Place) -> list[tuple[int | None, str]]:
    with read(store) as connection:
        found = audit_ratings(connection, Scope(office.province_id))
    return [(one.rating, one.text) for one in found.differences]


@pytest.mark.postgres
def test_what_the_application_did_is_in_order(any_store: Engine, office: Place) -> None:
    assert _found(any_store, office) == []
    with read(any_store) as connection:
        done = audit_ratings(connection, Scope(office.province_id))
    assert (done.ratings, done.chains, done.sealed) == (32, 2, 2)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE ratings SET a00 = 5 WHERE id = 4", [(None, "a row was changed, or its order")]),
        ("UPDATE ratings SET a02 = 1 WHERE id = 20", [(None, "a row was changed, or its order")]),
        (
            "UPDATE ratings SET day = day - 40, month = month - 1 WHERE id = 1",
            [(None, "a row was changed, or its order")],
        ),
        ("UPDATE ratings SET state = 0 WHERE id = 9", [(9, "flag and state are (7, 0), the log says (7, 1)")]),
        ("UPDATE ratings SET state = 1, flag = 8 WHERE id = 1", [(None, "a row was changed, or its order")]),
        ("DELETE FROM ratings WHERE id = 2", [(None, "1 row too few")]),
        ("DELETE FROM ratings WHERE id = 3", [(None, "1 row too few"), (3, "the row is gone, the log names it")]),
        (
            "DELETE FROM ratings WHERE source LIKE 'import%'",
            [(None, "all 20 rows are gone")],
        ),
        ("UPDATE rating_chains SET digest = salt", [(None, "a row was changed, or its order")] * 2),
    ],
)
def test_what_was_done_behind_its_back_is_found(
    any_store: Engine, office: Place, statement: str, found: list[tuple[int | None, str]]
) -> None:
    with write(any_store) as connection:
        connection.execute(text(statement))
    differences = _found(any_store, office)
    for each in found:
        assert each in differences
    assert differences


@pytest.mark.postgres
@pytest.mark.parametrize("known", [True, False])
def test_a_row_that_was_slipped_in_is_found(any_store: Engine, office: Place, known: bool) -> None:
    with write(any_store) as connection:
        row = dict(
            connection.execute(Scope(office.province_id).select(ratings).where(ratings.c.id == 1)).mappings().one()
        )
        del row["id"]
        connection.execute(ratings.insert().values(**row | ({} if known else {"source": "box:99"})))
    expected = "1 row too many" if known else "1 row that no chain knows"
    assert _found(any_store, office) == [(None, expected)]


def test_a_chain_that_was_made_to_fit_is_not_the_sealed_one(store: Engine, tmp_path: Path) -> None:
    """Whoever rewrites rows and chain still meets the log of changes; who rewrites that too, the kept signed head."""
    province = fill_province(store, "nho")
    scope, keys = Scope(province.province_id), new_keys("server")
    with write(store) as connection:
        seal_all(connection)
        kept = changes_head(connection, province.province_id, keys)
        connection.execute(text("UPDATE ratings SET a00 = 5"))
        _rechain(connection, scope)
        connection.execute(rating_chains.update().values(sealed=True))
        (difference,) = audit_ratings(connection, scope).differences
        assert difference.text == "the chain is not the one that was sealed in the log"
        connection.execute(changes.delete())
        connection.execute(rating_chains.update().values(sealed=False))
        record_change(connection, province.province_id, None, "ratings_exported", {})
        seal_all(connection)
        assert audit_ratings(connection, scope).differences == ()
    path = tmp_path / "changes.json"
    path.write_text(json.dumps(kept.to_dict()), encoding="utf-8")
    where = ["--store", str(store.url), "--data-dir", str(tmp_path)]
    assert main(["audit", "ratings", *where]) == 0
    assert main(["audit", "ratings", "--head", str(path), "--key", keys.signing_public_z85, *where]) == 1
    other = new_keys("server").signing_public_z85
    assert main(["audit", "ratings", "--head", str(path), "--key", other, *where]) != 0


def _slip_in(connection: Connection, scope: Scope, **values: Any) -> None:
    """A copy of the first rating, stored with what says that the application did."""
    from server.ratings.chain import extend

    row = dict(connection.execute(scope.select(ratings).where(ratings.c.id == 1)).mappings().one()) | values
    del row["id"]
    extend(connection, scope, [row], [()])
    connection.execute(ratings.insert().values(**row))


@pytest.mark.postgres
def test_a_day_that_was_rewritten_and_sealed_anew_by_the_server_itself_is_found(
    any_store: Engine, office: Place
) -> None:
    """Rows changed, the chain made to fit, its mark taken away: the next seal entered the new digest, the audit held
    the chain against the newest seal alone, and said that nothing was changed."""
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        connection.execute(text("UPDATE ratings SET a00 = 5 WHERE source LIKE 'import%'"))
        of_file = rating_chains.c.source.like("import%")
        chain = connection.execute(rating_chains.select().where(of_file)).mappings().one()
        query = scope.select(ratings).where(ratings.c.source == chain["source"]).order_by(ratings.c.id)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        digest, _ = grow(chain["salt"], (row_text(row, row["flag"], row["state"]) for row in rows))
        connection.execute(rating_chains.update().where(of_file).values(digest=digest, sealed=False))
    expected = [(None, "the chain is not the one that was sealed in the log")]
    assert _found(any_store, office) == expected
    with write(any_store) as connection:
        assert seal(connection, scope) == 1
    assert _found(any_store, office) == expected


@pytest.mark.postgres
def test_rows_that_come_into_a_day_after_its_seal_are_found(any_store: Engine, office: Place) -> None:
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        for _ in range(3):
            _slip_in(connection, scope)
    assert _found(any_store, office) == [(None, "3 rows came after the seal")]
    with write(any_store) as connection:
        assert seal(connection, scope) == 1
    assert _found(any_store, office) == [(None, "3 rows came after the seal")]


@pytest.mark.postgres
@pytest.mark.parametrize(
    "values",
    [{"source": "box:99", "received_day": today() - 40}, {"source": "", "received_day": 0, "channel": "hotline"}],
)
def test_a_chain_that_is_made_up_for_a_day_long_over_is_found(
    any_store: Engine, office: Place, values: dict[str, Any]
) -> None:
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        _slip_in(connection, scope, **values)
        assert seal(connection, scope) == 1
    assert _found(any_store, office) == [
        (None, "it was sealed after a later day's: it was not there when its day was over")
    ]


@pytest.mark.postgres
def test_rows_that_pretend_to_be_from_before_there_were_chains_are_found(any_store: Engine, office: Place) -> None:
    """Source and day of receipt of such rows were taken for those of an old store: no chain, and nothing was said."""
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        row = dict(connection.execute(scope.select(ratings).where(ratings.c.id == 1)).mappings().one())
        del row["id"]
        connection.execute(ratings.insert().values(**row | {"source": "", "received_day": 0}))
    expected = [(None, "1 row that no chain knows")]
    assert _found(any_store, office) == expected
    with write(any_store) as connection:
        assert seal(connection, scope) == 0, "they are not made honest afterwards"
    assert _found(any_store, office) == expected


@pytest.mark.postgres
def test_a_day_is_sealed_an_hour_after_its_end(
    any_store: Engine, office: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was being stored at midnight is in its chain by then; so no honest row comes after a seal."""
    scope, midnight = Scope(office.province_id), int(datetime.combine(day_date(today()), time(), INDOCHINA).timestamp())
    with write(any_store) as connection:
        connection.execute(rating_chains.update().values(received_day=today() - 2))
        _slip_in(connection, scope, received_day=today() - 1)
        for after_s, sealed in ((LATEST_S - 1, 0), (LATEST_S, 1)):
            monkeypatch.setattr("server.ratings.chain.now_s", lambda at=midnight + after_s: at)
            assert seal_all(connection) == sealed


def test_the_command_tells(store: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    province = fill_province(store, "nho")
    where = ["--store", str(store.url), "--data-dir", str(tmp_path)]
    with write(store) as connection:
        simulate_province(connection, seed=1, quarters=1, sheets_a_quarter=200, communes=12)
        seal_all(connection)
    assert main(["audit", "ratings", *where]) == 0
    assert "nothing was changed" in capsys.readouterr().out
    with write(store) as connection:
        connection.execute(text(f"UPDATE ratings SET a00 = 1 WHERE province_id = {province.province_id} AND a00 = 5"))
    assert main(["audit", "ratings", "--json", *where]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [bool(told["provinces"][code]["differences"]) for code in ("nho", "mau")] == [True, False]


def test_a_backup_keeps_the_chains(store: Engine, tmp_path: Path) -> None:
    province = fill_province(store, "nho")
    with write(store) as connection:
        simulate_province(connection, seed=1, quarters=1, sheets_a_quarter=100, communes=12)
        seal_all(connection)
    backup(store, tmp_path / "b.zip")
    other = connect(f"sqlite:///{tmp_path / 'other.sqlite'}")
    restore_backup(other, tmp_path / "b.zip")
    with read(other) as connection:
        assert audit_ratings(connection, Scope(province.province_id)).differences == ()
    other.dispose()


def test_no_digest_tells_how_many_answered(store: Engine) -> None:
    """The log's entry names sources and digests; a digest without its salt tells nothing about one answer."""
    province = fill_province(store, "nho")
    with write(store) as connection:
        seal(connection, Scope(province.province_id))
        query = changes.select().where(changes.c.action == "ratings_sealed")
        detail = json.loads(connection.execute(query).one().detail)
        chain = connection.execute(rating_chains.select()).one()
    assert set(detail) == {"day", "digests"}
    assert detail["digests"] == {" counter_tablet": chain.digest}
    assert len(bytes.fromhex(chain.salt)) == 32


@pytest.mark.postgres
@pytest.mark.parametrize("ahead", [1, 2, 36_525])
def test_rows_received_on_a_day_to_come_are_found(any_store: Engine, office: Place, ahead: int) -> None:
    """Their chain was made to fit, and no seal would ever come to tell of it."""
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        for _ in range(3):
            _slip_in(connection, scope, received_day=today() + ahead)
        seal(connection, scope)
    assert _found(any_store, office) == [(None, "its rows were received on a day that is still to come")]


@pytest.mark.postgres
def test_a_chain_made_up_for_a_day_long_over_is_found_before_the_server_seals_it(
    any_store: Engine, office: Place
) -> None:
    """Between two hourly seals the audit said that nothing was changed."""
    scope = Scope(office.province_id)
    with write(any_store) as connection:
        _slip_in(connection, scope, source="box:99", received_day=today() - 40)
    assert _found(any_store, office) == [
        (None, "it was sealed after a later day's: it was not there when its day was over")
    ]
