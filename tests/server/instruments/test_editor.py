"""The instrument editor: clone, change, check, look, sign, roll out; and what is refused on the way."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from pipeline.calendar import day_date, today
from pipeline.errors import ConfigError, ConflictError, HailongError, InvalidError, NotFoundError
from pipeline.instruments import Instrument, find_problems, load_instrument, use_folder
from pipeline.instruments.comparing import compare
from pipeline.instruments.instrument import Item
from pipeline.instruments.signed import open_signed
from pipeline.instruments.writing import write_instrument
from pipeline.keys import KEY_FILE_NAME, KeyPair, load_keys, new_keys, save_keys
from pipeline.language.catalogues import forget
from server.app import create_app
from server.boxes.instrument_files import InstrumentFiles
from server.core.config import make_config
from server.core.scope import Scope
from server.instruments import drafts, editing
from server.store.engine import read, write
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.province import Province, fill_province
from tests.server.pseudo import add_language
from tests.server.scores.test_questions import fill

SHORT = load_instrument("2640")
LONG = load_instrument("1001")


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> Any:
    """A province, and a browser of its analyst on a server with keys."""
    province = fill_province(store, "hn")
    save_keys(new_keys("server"), tmp_path / "keys")
    app = create_app(store, make_config({"data_dir": tmp_path, "web": {"secure_cookies": False}}, "test"))
    browser = Browser(app)
    browser.log_in(province.users[Role.ANALYST])
    yield province, browser, tmp_path
    use_folder(None)


World = tuple[Province, Browser, Path]
LIST = "/survey/instruments"


def _post(browser: Browser, path: str, **data: str) -> Any:
    return browser.post(path, data, form=LIST)


def test_a_clerk_clones_changes_looks_signs_and_boxes_get_it(store: Engine, world: World) -> None:
    """The whole way of the guide, in Vietnamese, through the pages."""
    province, browser, folder = world
    made = _post(browser, LIST, base=str(SHORT.wire_code), code="2640-hn")
    assert made.status_code == 303
    here = made.headers["location"]
    page = browser.get(f"{here}?lang=vi").text
    assert "Chỉ số chung so sánh được với 2640 (bản 1)" in page
    asked = {"old": "", "code": "A5", "kind": "criterion", "part": "A", "vi": "Có chỗ gửi xe", "short": "1"}
    assert _post(browser, f"{here}/items", **asked).status_code == 303
    assert _post(browser, f"{here}/items", **{**asked, "old": "A1", "code": "A1", "vi": "Đủ ghế"}).status_code == 303
    page = browser.get(here).text
    assert "Chỉ số chung không so sánh được" in page
    assert re.search(r"đổi câu chữ: A1 · mới: A5", page)
    assert _post(browser, f"{here}/items/A5/up").status_code == 303
    for on, sign in (("tablet", "Có chỗ gửi xe"), ("phone", 'name="q_A5"'), ("paper", "paper-1.png")):
        assert sign in browser.get(f"{here}/preview?on={on}").text
    assert browser.get(f"{here}/paper-1.png").content.startswith(b"\x89PNG")
    assert browser.get(f"{here}/paper.pdf").content.startswith(b"%PDF")
    day = day_date(today() + 3)
    assert _post(browser, f"{here}/sign", first=day.isoformat(), sure="true").status_code == 303
    assert "đã ký" in browser.get(here).text
    assert _post(browser, f"{here}/items", **asked).status_code == 409, "a signed one is not changed"
    assert _post(browser, f"{here}/remove").status_code == 409
    keys = load_keys(folder / "keys" / KEY_FILE_NAME, "server")
    (sent,) = InstrumentFiles(folder / "instruments", keys).signed()
    instrument = open_signed(sent, Ed25519PublicKey.from_public_bytes(keys.signing_public))
    assert (instrument.code, instrument.starts, instrument.variant_of) == ("2640-hn", day, "2640")
    assert [item.code for item in instrument.of_factor("A")] == ["A1", "A2", "A3", "A5", "A4"]
    assert "A5" in instrument.short
    with pytest.raises(ConfigError, match="begins on"):
        load_instrument("2640-hn", on=day - timedelta(1))
    assert load_instrument("2640-hn", on=day) == instrument
    again = _post(browser, LIST, base=str(instrument.wire_code))
    with read(store) as connection:
        newest = drafts.all_drafts(connection, Scope(province.province_id))[0]
    assert again.status_code == 303
    assert (newest.instrument.code, newest.instrument.version) == ("2640-hn", 2)
    assert _post(browser, f"{again.headers['location']}/remove", sure="true").status_code == 303
    assert "2640-hn" in browser.get(f"{LIST}/compare?new={instrument.wire_code}&old=201").text


def test_what_the_check_says_keeps_it_from_being_signed(world: World) -> None:
    _province, browser, _folder = world
    here = _post(browser, LIST, base=str(LONG.wire_code), code="dai").headers["location"]
    assert "Xóa câu K3: “" in _post(browser, f"{here}/items/K3/remove").text, "asked first"
    assert _post(browser, f"{here}/items/K3/remove", sure="true").status_code == 303
    assert "Cần sửa trước khi ký" in browser.get(here).text
    assert _post(browser, f"{here}/sign", first=day_date(today()).isoformat()).status_code == 422
    assert _post(browser, f"{here}/parts", remove="A").status_code == 422, "it has questions"
    asked = {"old": "", "code": "K9", "kind": "single", "part": "perception", "vi": "Ông/Bà đi bằng gì?"}
    assert _post(browser, f"{here}/items", **asked, choices="Xe máy\nXe buýt | Bus").status_code == 303
    assert "1. Xe máy · 2. Xe buýt" in browser.get(here).text
    assert _post(browser, f"{here}/items", **{**asked, "vi": " "}).status_code == 422
    assert _post(browser, f"{here}/items", **{**asked, "kind": "matrix"}).status_code == 422
    assert _post(browser, f"{here}/head", title_vi="x", overall_vi="y", decision="z", pooling="vote").status_code == 422


def test_who_may_not(store: Engine, world: World) -> None:
    """Another province's draft is not there; a clerk of data entry has no editor."""
    province, browser, _folder = world
    here = _post(browser, LIST, base=str(SHORT.wire_code), code="2640-hn").headers["location"]
    other = fill_province(store, "khac")
    stranger = Browser(browser.http.app)  # type: ignore[arg-type]
    stranger.log_in(other.users[Role.ANALYST])
    assert stranger.get(here).status_code == 404
    assert _post(stranger, f"{here}/items/A1/remove").status_code == 404
    assert _post(stranger, LIST, base=str(SHORT.wire_code), code="2640-hn").status_code == 409, "the code is taken"
    clerk = Browser(browser.http.app)  # type: ignore[arg-type]
    clerk.log_in(province.users[Role.DATA_ENTRY])
    assert clerk.get(LIST).status_code == 403


@pytest.fixture
def keys() -> KeyPair:
    """A server's keys."""
    return new_keys("server")


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """The folder of own instruments, forgotten afterwards."""
    use_folder(tmp_path)
    yield tmp_path
    use_folder(None)


def test_a_choice_that_people_have_chosen_is_not_removed(store: Engine, own: Path, keys: KeyPair) -> None:
    """A province's own long instrument with answers (needs 1 and 2 were ticked, 3 was not): its next version."""
    mine = msgspec.structs.replace(LONG, code="dai", wire_code=10_000)
    (own / "dai-v1.toml").write_bytes(write_instrument(mine))
    province = fill(store)
    with write(store) as connection:
        connection.exec_driver_sql("UPDATE ratings SET instrument = 'dai'")
        scope = Scope(province)
        draft = drafts.find_draft(connection, scope, drafts.clone(connection, scope, 10_000, "", None))
        assert (draft.instrument.version, draft.instrument.wire_code) == (2, 10_001)
        lines = editing.choices_text(draft.instrument.item("N1")).splitlines()
        base = {"code": "N1", "kind": "several", "part": "needs", "vi": draft.instrument.item("N1").vi}

        def without(*numbers: int) -> Instrument:
            kept = [line for line in lines if int(line.split(".")[0]) not in numbers]
            return editing.put_item(draft.instrument, "N1", {**base, "choices": "\n".join(kept)}, ())

        assert drafts.check(connection, scope, without(3)) == []
        (problem,) = drafts.check(connection, scope, without(2, 3))
        assert str(problem) == "N1: choice 2 has been answered: keep it, marked [x]"
        lines[1] += " [x]"
        retired = editing.put_item(draft.instrument, "N1", {**base, "choices": "\n".join(lines)}, ())
        assert drafts.check(connection, scope, retired) == []
        assert [choice.number for choice in retired.item("N1").offered] == [1, *range(3, 11)]
        moved = editing.put_item(draft.instrument, "", {**base, "code": "N9", "choices": "a\nb"}, ())
        slot = msgspec.structs.replace(moved.item("N9"), slot=150)
        others = tuple(slot if one.code == "N9" else one for one in moved.items if one.code != "N1")
        said = [str(one) for one in drafts.check(connection, scope, msgspec.structs.replace(moved, items=others))]
        assert said == ["slot 150 was N1 in version 1: give N9 another one"]
        drafts.save(connection, scope, draft, without(2), None)
        with pytest.raises(ConflictError, match="Somebody else"):
            drafts.save(connection, scope, draft, without(3), None)
        late = drafts.find_draft(connection, scope, draft.id)
        with pytest.raises(InvalidError, match="choice 2"):
            drafts.sign(connection, scope, late, first=day_date(today()), keys=keys, folder=own, user_id=None)
        drafts.save(connection, scope, late, retired, None)
        done = drafts.find_draft(connection, scope, draft.id)
        with pytest.raises(InvalidError, match="today at the earliest"):
            drafts.sign(connection, scope, done, first=day_date(today() - 1), keys=keys, folder=own, user_id=None)
        drafts.sign(connection, scope, done, first=day_date(today()), keys=keys, folder=own, user_id=None)
        with pytest.raises(ConflictError):
            drafts.sign(connection, scope, done, first=day_date(today()), keys=keys, folder=own, user_id=None)
    assert load_instrument("dai").version == 2
    assert compare(load_instrument("dai"), mine).reworded == ("N1",)


def test_an_older_version_is_not_signed_after_a_newer_one(store: Engine, own: Path, keys: KeyPair) -> None:
    """Its day would come and nobody would be asked by it: the newest version that has begun is."""
    (own / "dai-v1.toml").write_bytes(write_instrument(msgspec.structs.replace(LONG, code="dai", wire_code=10_000)))
    scope = Scope(fill(store))
    with write(store) as connection:
        second, third = (
            drafts.find_draft(connection, scope, drafts.clone(connection, scope, 10_000, "", None)) for _ in range(2)
        )
        drafts.sign(connection, scope, third, first=day_date(today()), keys=keys, folder=own, user_id=None)
        with pytest.raises(InvalidError, match="version 3 is signed already"):
            drafts.sign(connection, scope, second, first=day_date(today() + 30), keys=keys, folder=own, user_id=None)
    assert load_instrument("dai", on=day_date(today() + 60)).version == 3


def test_cloning_takes_no_name_that_is_taken(store: Engine, own: Path) -> None:
    assert own.is_dir()
    with write(store) as connection:
        first, second = fill_scope(connection, "a"), fill_scope(connection, "b")
        drafts.clone(connection, first, 201, "2640-A", None)
        for scope, base, code, wrong in (
            (first, 201, "", ConflictError),
            (first, 201, "2640-a", ConflictError),
            (second, 201, "2640-a", ConflictError),
            (second, 201, "1001", ConflictError),
            (second, 999, "x", NotFoundError),
            (second, 201, "a/../b", InvalidError),
            (second, 201, "ă", InvalidError),
        ):
            with pytest.raises(wrong):
                drafts.clone(connection, scope, base, code, None)


def fill_scope(connection: Any, code: str) -> Scope:
    from tests.server.worlds import small_province

    return Scope(small_province(connection, code))


WORDS = st.text(st.characters(codec="utf-8"), max_size=12)
FIELDS = ("code", "kind", "part", "vi", "en", "asked_if", "choices", "most", "low", "high", "unit_vi", "topic", "short")
KINDS_OR_NONE = st.sampled_from(("criterion", "fact", "three", "single", "several", "number", "text", "matrix"))


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(FIELDS, WORDS),
            "kind": KINDS_OR_NONE,
            "code": st.sampled_from(("A1", "K9", "1", "overall", "ă")),
            "part": st.sampled_from(("A", "needs", "people", "nowhere")),
            "vi": st.sampled_from(("Hỏi?", "", "x" * 401)),
            "asked_if": st.sampled_from(("", "K3", "K5=1", "K5=", "=1", "K5=99999", "K5=²")),
            "choices": st.sampled_from(("", "a\nb", "1. a\n1. b", "99. a\nb", "\n".join("abcdefghij" * 4), "1.")),
        },
    ),
    st.sampled_from(("", "A1", "K1", "Z9")),
)
def test_whatever_a_form_says_gives_a_record_or_a_reason(values: dict[str, str], old: str) -> None:
    """Never a fault: a draft that can be kept and written, or an error of ours with a sentence."""
    try:
        changed = editing.put_item(LONG, old, values, ())
    except HailongError:
        return
    assert msgspec.json.decode(msgspec.json.encode(changed), type=Instrument) == changed
    find_problems(changed)


def test_the_editor_keeps_wordings_in_further_languages_as_long_as_the_vietnamese_stays() -> None:
    item = next(one for one in LONG.items if one.kind == "single" and one.block)
    choice = msgspec.structs.replace(item.choices[0], more=(("tyz", "Mọi"),))
    told = msgspec.structs.replace(item, more=(("tyz", "Cần"),), choices=(choice, *item.choices[1:]))
    title = msgspec.structs.replace(LONG.title, more=(("tyz", "Tên"),))
    held = msgspec.structs.replace(LONG, title=title, items=tuple(told if one is item else one for one in LONG.items))
    values = {"code": item.code, "kind": "single", "part": item.block or "", "vi": item.vi, "en": "Other",
              "choices": editing.choices_text(told, ("tyz",))}  # fmt: skip

    def edited(**change: str) -> Item:
        changed = editing.put_item(held, item.code, {**values, **change}, ())
        return next(one for one in changed.items if one.code == item.code)

    assert (edited().en, edited().more, edited().choices[0].more) == ("Other", told.more, choice.more)
    assert edited(vi="Câu khác?").more == ()
    head = {"title_vi": LONG.title.vi, "overall_vi": LONG.overall.vi, "decision": "QĐ", "pooling": str(LONG.pooling)}
    assert editing.set_head(held, head).title.more == title.more
    assert editing.set_head(held, {**head, "title_vi": "Khác"}).title.more == ()


def test_the_editor_has_a_field_for_every_language_that_the_house_knows(
    store: Engine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Question, choices, part, unit, title: what is typed in a third language stands in its field again."""
    province, browser, folder = world
    here = _post(browser, LIST, base=str(LONG.wire_code), code="tay").headers["location"]
    assert "more_tyz" not in browser.get(f"{here}?item=K5").text, "no field for what nobody could choose"
    add_language(folder, "tyz", "Tày", "", monkeypatch)
    try:
        page = browser.get(f"{here}?item=K5").text
        assert all(f'name="{one}more_tyz"' in page for one in ("", "unit_", "title_", "overall_"))
        assert "English | Tày" in page, "choices have a place for it, too"
        asked = {
            "old": "",
            "code": "K9",
            "kind": "single",
            "part": "perception",
            "vi": "Bằng gì?",
            "more_tyz": "Cải lăng?",
        }
        assert (
            _post(browser, f"{here}/items", **asked, choices="Xe máy | | Xe\n7. Xe buýt | Bus [x]").status_code == 303
        )
        part = {"what": "block", "code": "perception", "vi": "Cảm nhận", "more_tyz": "Slim"}
        assert _post(browser, f"{here}/parts", **part).status_code == 303
        head = {"title_vi": "Tên", "overall_vi": LONG.overall.vi, "decision": "QĐ", "pooling": str(LONG.pooling)}
        assert _post(browser, f"{here}/head", **head, title_more_tyz="Chừ").status_code == 303
        page = browser.get(f"{here}?item=K9&part=perception").text
        assert all(f'value="{words}"' in page for words in ("Cải lăng?", "Slim", "Chừ"))
        assert "1. Xe máy |  | Xe\n7. Xe buýt | Bus [x]" in page
        with read(store) as connection:
            made = drafts.all_drafts(connection, Scope(province.province_id))[0].instrument
        item = next(one for one in made.items if one.code == "K9")
        assert (item.more, item.choices[0].en, item.choices[0].more) == (
            (("tyz", "Cải lăng?"),),
            "Xe máy",
            (("tyz", "Xe"),),
        )
        assert _post(browser, f"{here}/head", **head, title_more_tyz="").status_code == 303
        assert 'value="Chừ"' not in browser.get(here).text, "an empty field takes it away"
    finally:
        monkeypatch.undo()
        forget()
    assert 'name="more_tyz"' in browser.get(f"{here}?item=K9").text, "what a draft holds can be changed later"


def test_a_unit_keeps_its_other_languages() -> None:
    item = next(one for one in LONG.items if one.kind == "number")
    values = {"code": item.code, "kind": "number", "part": item.block or "", "vi": item.vi}

    def unit(**change: str) -> Any:
        changed = editing.put_item(LONG, item.code, {**values, **change}, ())
        return next(one for one in changed.items if one.code == item.code).unit

    assert unit(unit_vi="năm", unit_en="years").named.columns() == {"name_vi": "năm", "name_en": "years"}
    assert unit(unit_vi="") is None
