"""Pages and the HTTP interface: headers, languages, errors in words, the catalogue by file, health, JSON."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from pipeline.calendar import now_s, today
from pipeline.errors import ConflictError, ImportRowError, InvalidError, LogError, NotFoundError
from pipeline.language import Number, Text, in_language
from server.accounts.session_page import local_path
from server.accounts.settings_page import NAMES
from server.boxes.health import box_states
from server.catalogue.writing import import_catalogue
from server.core import changes as changes_module
from server.core.changes import ACTIONS, START, record_change, verify_changes
from server.core.labels import IMPORT_KINDS
from server.core.provinces import SETTINGS, find_province, make_province, read_setting
from server.retention.policy import enforce, findings, schema_findings
from server.rounds.rounds import make_round
from server.store.engine import read, write
from server.store.tables.boxes import boxes, heartbeats
from server.store.tables.changes import changes
from server.store.tables.contacts import phone_contacts
from server.store.tables.releases import deliveries, tree_heads
from server.store.tables.users import Role, access_log
from server.tabular.spec import ImportResult
from server.web.navigation import ENTRIES
from tests.server.client import Browser
from tests.server.province import Province, application, fill_province


@pytest.fixture
def province(store: Engine) -> Province:
    return fill_province(store, "p1")


@pytest.fixture
def browser(store: Engine, province: Province, tmp_path: Path) -> Browser:
    return Browser(application(store, tmp_path))


@pytest.fixture
def analyst(browser: Browser, province: Province) -> Browser:
    browser.log_in(province.users[Role.ANALYST])
    return browser


def test_security_headers_on_every_answer(analyst: Browser) -> None:
    for path in ("/", "/api/v1/scores", "/static/style.css", "/nowhere", "/log-in"):
        headers = analyst.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/?period=2026-Q3", "/agencies/p1-a?period=2026-Q3", "/health", "/analysis?period=2026-Q3"]
)
def test_pages_load_nothing_from_outside_and_hold_no_inline_script(analyst: Browser, path: str) -> None:
    text = analyst.get(path).text
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert not re.search(r"<script(?![^>]*src=)", text)
    assert not re.search(r'\s(style|on[a-z]+)="', text)


def test_a_month_without_a_figure_is_not_told_as_zero_ratings(analyst: Browser) -> None:
    """Hidden months have ratings, too; and a plot without a month is not a heading alone."""
    page = analyst.get("/agencies/p1-a?period=2026-Q3&lang=en").text
    trend = page[page.index("<h2>Trend</h2>") : page.index('<h2 id="cases">')]
    rows = re.findall(r"<tr><th scope=\"row\">[^<]*</th>(.*?)</tr>", trend)
    last_cells = [re.findall(r">([^<]*)</td>", row)[-1] for row in rows]
    assert len(last_cells) == 12
    assert sorted(set(last_cells)) == ["40", "–"]
    before = analyst.get("/agencies/p1-a?period=2026-Q2&lang=en").text
    trend = before[before.index("<h2>Trend</h2>") : before.index('<h2 id="cases">')]
    assert "In no month were there enough answers for a figure." in trend
    assert "<table" not in trend


def test_pages_are_packed_and_only_what_is_nobodys_is_kept(analyst: Browser) -> None:
    page = analyst.get("/?period=2026-Q3", headers={"accept-encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert page.headers["cache-control"] == "no-store"
    style = analyst.get("/static/style.css")
    assert style.headers["cache-control"] == "public, max-age=600"
    assert analyst.get("/static/nothing.css").headers["cache-control"] == "no-store"


def test_the_forgery_token_is_another_on_every_page_and_holds(analyst: Browser) -> None:
    """Packed pages tell a secret that stays the same beside a text that a stranger chooses (BREACH)."""
    one, other = analyst.token("/account"), analyst.token("/account")
    assert one != other
    for token in (other[:-1] + "x", other[1:] + "0", one[:32], ""):
        assert analyst.http.post("/log-out", data={"csrf": token}).status_code == 403
    assert analyst.http.post("/log-out", data={"csrf": one}).status_code == 303


def test_vietnamese_first_and_english_is_remembered(analyst: Browser) -> None:
    assert '<html lang="vi">' in analyst.get("/").text
    assert '<html lang="en">' in analyst.get("/?lang=en").text
    assert "SIPAS index of the province" in analyst.get("/").text
    assert '<html lang="vi">' in analyst.get("/?lang=vi").text


@pytest.mark.parametrize(
    ("value", "lang", "digits", "text"),
    [
        (1234.56, "vi", 1, "1.234,6"),
        (1234.56, "en", 1, "1,234.6"),
        (None, "vi", 0, "–"),
        (-0.001, "vi", 1, "0,0"),
        (0, "en", 0, "0"),
    ],
)
def test_numbers(value: float | None, lang: str, digits: int, text: str) -> None:
    assert in_language(Number(value, digits), lang) == text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?period=nonsense", 422),
        ("/agencies/nowhere", 404),
        ("/nowhere", 404),
        ("/analysis/nothing.csv", 404),
        ("/analysis/estimates.exe", 422),
    ],
)
def test_wrong_addresses_are_told_in_words(analyst: Browser, path: str, status: int) -> None:
    answer = analyst.get(path)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert "Traceback" not in answer.text


def test_errors_of_the_interface_are_json(analyst: Browser, browser: Browser) -> None:
    assert analyst.get("/api/v1/scores?period=x").json()["error"]
    assert analyst.get("/api/v1/nothing").json() == {"error": "Not Found"}


def test_scores_as_json(analyst: Browser) -> None:
    answer = analyst.get("/api/v1/scores?period=2026-Q3").json()
    assert (answer["period"], answer["simulated"]) == ("2026-Q3", True)
    first = answer["agencies"][0]
    assert (first["id"], first["n_explicit"], first["index_fused"]) == ("p1-a", 40, None)
    assert first["ci_low"] < first["index_explicit"] < first["ci_high"]
    assert analyst.get("/api/v1/alive").json() == {"status": "ok"}


def test_the_interface_describes_itself(browser: Browser) -> None:
    described = browser.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert "/api/v1/scores" in described["paths"]
    for path, methods in described["paths"].items():
        assert path.startswith(("/api/", "/gateway/")), path
        for method in methods.values():
            assert method.get("summary") or method.get("description"), path
    fields = described["components"]["schemas"]["ScoreAnswer"]["properties"]
    assert {"index_explicit", "index_fused", "verdict", "ci_low", "ci_high", "n_explicit", "n_implicit"} <= set(fields)


def test_a_store_that_is_away_is_told(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ANALYST])
    with write(store) as connection:
        connection.exec_driver_sql("ALTER TABLE ratings RENAME TO elsewhere")
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "SELECT" not in answer.text


def test_the_menu_leads_to_pages_that_open(store: Engine, province: Province, tmp_path: Path) -> None:
    app = application(store, tmp_path)
    for role in Role:
        browser = Browser(app)
        browser.log_in(province.users[role])
        page = browser.get("/account").text
        for entry in ENTRIES:
            shown = f'href="{entry.path}"' in page
            answer = browser.get(entry.path)
            assert answer.status_code == (200 if shown else 403), f"{role} {entry.path}"


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/health", "/health"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("", "/"),
    ],
)
def test_after_log_in_one_stays_here(path: str, safe: str) -> None:
    assert local_path(path) == safe


def test_settings_are_changed_within_limits(store: Engine, province: Province, tmp_path: Path) -> None:
    browser = Browser(application(store, tmp_path))
    browser.log_in(province.users[Role.ADMINISTRATOR])
    form = {name: SETTINGS[name] for name in NAMES} | {"access_log_days": 60, "confidence": 0.9}
    form["sure"] = "true"
    assert browser.post("/settings", form, form="/settings").status_code == 303
    with read(store) as connection:
        assert read_setting(connection, province.province_id, "access_log_days") == 60
        newest = connection.execute(select(changes.c.detail).order_by(changes.c.position.desc())).scalars().first()
    days, confidence = SETTINGS["access_log_days"], SETTINGS["confidence"]
    assert json.loads(newest or "") == {"access_log_days": [days, 60], "confidence": [confidence, 0.9]}, "old and new"
    assert 'value="0,9"' in browser.get("/settings").text, "as it is written in Vietnamese"
    assert browser.post("/settings", {**form, "confidence": "0,95"}, form="/settings").status_code == 303
    assert 'value="0.95"' in browser.get("/settings?lang=en").text
    wrong = ({"access_log_days": 1}, {"confidence": "1,5"}, {"min_answers": "5,5"}, {"suspicion_repeats": 1})
    for bad in wrong:
        assert browser.post("/settings", {**form, **bad}, form="/settings").status_code == 422


# Health of the boxes


def test_health_says_what_is_missing(store: Engine, province: Province) -> None:
    box = province.boxes["p1-a"]
    with write(store) as connection:
        ids = {"province_id": province.province_id, "box_id": box}
        beat = {"state": 0, "software": "0.1.0", "provider": 0, "received_s": now_s()}
        connection.execute(insert(heartbeats).values(**ids, **beat))
        sent = {"epoch": 1, "sequence": 5, "kind": "pulse", "digest": "x", "received_day": 1}
        connection.execute(insert(deliveries).values(**ids, **sent))
        head = {"epoch": 1, "sequence": 5, "size": 9, "root": "0" * 64, "signature": "0" * 128, "received_day": 1}
        connection.execute(insert(tree_heads).values(**ids, **head, verified=False))
        first, second = box_states(connection, province.province_id)
    assert (first.missing, first.evidence, first.log_size, first.log_verified) == (3, 1, 9, False)
    assert not first.fine
    assert (in_language(second.words, "vi"), second.words) == ("Chưa có tín hiệu", "Never heard")


@pytest.mark.parametrize(
    ("values", "beat", "words"),
    [
        ({}, {"state": 0}, "Working"),
        ({}, {"state": 2}, "Camera lost"),
        ({}, {"state": 0, "received_s": 1}, "Silent"),
        ({"revoked_day": 5}, {"state": 0}, "Key revoked"),
        ({"public_key": None}, {"state": 0}, "Not enrolled yet"),
    ],
)
def test_states_in_words(
    store: Engine, province: Province, values: dict[str, Any], beat: dict[str, Any], words: str
) -> None:
    box = province.boxes["p1-a"]
    with write(store) as connection:
        if values:
            connection.execute(update(boxes).where(boxes.c.id == box).values(**values))
        full = {"software": "1", "provider": 0, "received_s": now_s(), **beat}
        connection.execute(insert(heartbeats).values(province_id=province.province_id, box_id=box, **full))
        first = box_states(connection, province.province_id)[0]
    assert first.words == words
    assert first.fine == (words == "Working")


@pytest.mark.parametrize("simulated", [True, False])
def test_a_generated_provinces_boxes_read_as_simulated(store: Engine, simulated: bool) -> None:
    made = fill_province(store, "p9", simulated=simulated)
    with write(store) as connection:
        connection.execute(update(boxes).where(boxes.c.id == made.boxes["p9-a"]).values(public_key=None))
        first, second = box_states(connection, made.province_id)
    assert first.words == ("Simulated" if simulated else "Not enrolled yet")
    assert second.words == "Never heard"


def test_every_action_of_the_log_of_changes_has_words() -> None:
    """Actions are read off the program's own calls; `KIND_imported` stands for every kind of import."""
    kinds = [kind for kind in IMPORT_KINDS if kind != "ratings"]
    used: set[str] = set()
    for path in Path(changes_module.__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("record_change", "_change"):
                text = ast.unparse(node.args[3])
                used |= {f"{kind}_imported" for kind in kinds} if "{kind}" in text else set(re.findall("'(.+?)'", text))
    assert used == set(ACTIONS)
    assert all(in_language(name, "vi") != name for name in ACTIONS.values())


# The catalogue


def _agency(**change: str) -> dict[str, str]:
    return {"code": "x", "name_vi": "Sở X", "level": "tinh", **change}


def test_an_import_can_be_repeated_and_previewed(store: Engine, province: Province) -> None:
    rows = [(2, _agency()), (3, _agency(code="y", name_vi="Sở"))]
    with write(store) as connection:
        mine = (connection, province.province_id, "agencies")
        assert import_catalogue(*mine, rows, preview=True) == ImportResult(2, 0, 0)
        assert import_catalogue(*mine, rows) == ImportResult(2, 0, 0)
        assert import_catalogue(*mine, rows) == ImportResult(0, 0, 2), "decomposed letters are the same name"
        assert import_catalogue(*mine, [(2, _agency(name_vi="Khác"))]) == ImportResult(0, 1, 0)


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("agencies", _agency(level="moon"), "unknown level: moon (there are: "),
        ("agencies", _agency(name_vi=" "), "empty: name_vi"),
        ("agencies", _agency(code="x" * 41), "longer than 40"),
        ("counters", {"agency": "nowhere", "code": "1", "name_vi": "Quầy"}, "unknown agency"),
        ("service_groups", {"number": "256", "name_vi": "Nhóm"}, "from 0 to 255"),
        ("service_groups", {"number": "-1", "name_vi": "Nhóm"}, "from 0 to 255"),
        ("services", {"code": "s", "name_vi": "Thủ tục", "service_group": "9"}, "unknown service group"),
        ("levels", {"code": "l", "name_vi": "Cấp", "rank": "x"}, "whole number"),
    ],
)
def test_one_bad_row_and_nothing_is_imported(
    store: Engine, province: Province, kind: str, row: dict[str, str], reason: str
) -> None:
    good = {"agencies": _agency(code="good"), "service_groups": {"number": "7", "name_vi": "Tốt"}}.get(kind)
    rows = ([(2, good)] if good else []) + [(3, row)]
    with write(store) as connection:
        with pytest.raises(ImportRowError) as caught:
            import_catalogue(connection, province.province_id, kind, rows)
        assert caught.value.rows[0][0] == 3
        assert reason in caught.value.rows[0][1]
        before = connection.exec_driver_sql(
            f"SELECT count(*) FROM {kind} WHERE code = 'good'" if kind == "agencies" else "SELECT 0"
        )
        assert before.scalar_one() == 0


def test_the_same_code_twice_in_a_file(store: Engine, province: Province) -> None:
    with write(store) as connection, pytest.raises(ImportRowError) as caught:
        import_catalogue(connection, province.province_id, "agencies", [(2, _agency()), (5, _agency())])
    assert caught.value.rows == [(5, "the same code as in row 2")]


def test_which_province_is_meant(store: Engine, province: Province) -> None:
    with write(store) as connection:
        assert find_province(connection, None).code == "p1"
        make_province(connection, "p2", Text.named(vi="Hai"))
        with pytest.raises(InvalidError, match="several provinces"):
            find_province(connection, None)
        assert find_province(connection, "p2").name == Text.named(vi="Hai")
        with pytest.raises(NotFoundError, match="no province"):
            find_province(connection, "p3")
        with pytest.raises(ConflictError, match="another code"):
            make_province(connection, "p2", Text.named(vi="Hai"))


# The log of changes, and retention


def _three_changes(store: Engine, province: Province) -> None:
    with write(store) as connection:
        for number in range(3):
            record_change(connection, province.province_id, None, "test", {"number": number})


def test_the_log_of_changes_is_whole(store: Engine, province: Province) -> None:
    with read(store) as connection:
        assert verify_changes(connection, province.province_id) == (0, START)
    _three_changes(store, province)
    with read(store) as connection:
        length, head = verify_changes(connection, province.province_id)
        newest = connection.execute(select(changes.c.chain).order_by(changes.c.position.desc()).limit(1)).scalar_one()
    assert (length, head) == (3, newest)


@pytest.mark.parametrize(
    ("position", "values"),
    [(1, {"detail": '{"number":9}'}), (2, {"action": "other"}), (2, {"day": 1}), (3, {"user_id": 1}), (2, None)],
)
def test_an_altered_log_is_seen(
    store: Engine, province: Province, position: int, values: dict[str, Any] | None
) -> None:
    _three_changes(store, province)
    with write(store) as connection:
        where = changes.c.position == position
        connection.execute(
            changes.delete().where(where) if values is None else update(changes).where(where).values(**values)
        )
        with pytest.raises(LogError, match="altered at entry"):
            verify_changes(connection, province.province_id)


def test_the_schema_holds_nothing_finer_than_a_day_about_a_citizen() -> None:
    assert schema_findings() == []
    assert schema_findings(frozenset()), "the check sees the staff's own seconds where they are not excused"


def test_what_is_too_old_is_found_then_deleted(store: Engine, province: Province) -> None:
    ids = {"province_id": province.province_id}
    with write(store) as connection:
        old = {"at_s": now_s() - 400 * 86_400, "method": "GET", "route": "/", "status": 200}
        connection.execute(insert(access_log).values(**ids, **old))
        assert [f.table for f in findings(connection, province.province_id)] == ["access_log"]
        assert enforce(connection) >= 1
        assert findings(connection, province.province_id) == []


def test_contacts_end_on_their_day(store: Engine, province: Province) -> None:
    with write(store) as connection:
        values: dict[str, Any] = {"code": "r", "name": Text.named(vi="Đợt", en="Round"), "instrument": "2640"}
        values |= {"first_day": today(), "last_day": today(), "user_id": None}
        survey_round = make_round(connection, province.province_id, **values)
        ids = {"province_id": province.province_id, "round_id": survey_round.id, "agency_id": province.agencies["p1-a"]}
        for number, expires_day in enumerate((today() - 5, today() + 5)):
            connection.execute(insert(phone_contacts).values(**ids, phone=f"09{number:08d}", expires_day=expires_day))
        assert [f.table for f in findings(connection, province.province_id)] == ["phone_contacts"]
        enforce(connection)
        assert findings(connection, province.province_id) == []
        assert connection.execute(select(phone_contacts.c.expires_day)).scalars().all() == [today() + 5]
