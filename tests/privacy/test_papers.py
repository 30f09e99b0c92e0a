"""The papers of the law: every heading is there, what is known is filled in, the rest is blank with a role."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from sqlalchemy import Engine, update

from edge.config import load_config
from hailong.cli import main
from hailong.papers.checks import AUDITS
from hailong.papers.diagram import flow_chart
from hailong.papers.facts import ConfigFact, PaperFacts, audit_fact, gather_facts
from hailong.papers.forms import FORMS, make_paper
from hailong.papers.names import NAMES
from models.catalogue import all_cards, card
from pipeline.calendar import day_index
from pipeline.errors import NotFoundError
from pipeline.language import Message, in_language, languages
from pipeline.law import provisions
from server.core.scope import Scope
from server.documents.blocks import Heading, TableBlock
from server.documents.docx import report_docx
from server.documents.pdf import report_pdf
from server.documents.writer import Writer
from server.store.engine import connect, read, store_url, write
from server.store.tables.boxes import boxes
from server.store.tables.rights import incidents
from server.store.upgrade import upgrade
from tests.privacy.test_report import config_path as config_path
from tests.server.province import fill_province
from tests.server.pseudo import names_of, plain_of, pseudo_language

CHECKLIST = {
    "dpia10": """PHẦN A; I. THÔNG TIN VỀ CÁC BÊN; II. MÔ TẢ; 1. Vai trò; 2. Luồng; 3. Loại dữ liệu; 4. Căn cứ xử lý;
        5. Lưu trữ; 6. Xóa, hủy; 7. Chuyển giao; 8. Trao đổi; 9. Dịch vụ; 10. Chuyển dữ liệu cá nhân xuyên biên giới;
        11. Biện pháp; 11.1.; 11.2.; 11.3.; 12. Tuân thủ; III. ĐÁNH GIÁ TÁC ĐỘNG; 1. Rủi ro; 2. Hậu quả; 2.1.; 2.2.;
        2.3.; IV. KẾT LUẬN; PHẦN B""",
    "ai-classification": "1. Nhận dạng; 2. Mô tả và bối cảnh; 3. Dữ liệu; 4. Quản lý rủi ro; 5. Kết quả tự phân loại",
    "ai02": """I. THÔNG TIN CHUNG; II. THÔNG TIN VỀ HỆ THỐNG; III. ĐÁNH GIÁ RỦI RO; 1.; 2.; 3.; 4.; 5.; 6.; 7.;
        IV. BIỆN PHÁP; V. GIÁM SÁT; VI. THAM VẤN; VII. CAM KẾT""",
    "ai01a": "1. Đơn vị báo cáo; 2. Hệ thống; 3. Sự cố; 4. Nguyên nhân; 5. Biện pháp; 7. Giai đoạn báo cáo",
    "breach08": "1. Đơn vị thông báo; 2. Vi phạm; 3. Dữ liệu; 4. Hậu quả; 5. Biện pháp; 6. Thời điểm; 7. Đầu mối",
    "system-card": "1. Mục đích; 2. Các thành phần; 3. Các mô hình; 4. Giới hạn; 5. Dữ liệu; 7. Kết quả kiểm tra",
    "yearly": "1. Phạm vi; 2. Thay đổi; 3. Nghĩa vụ; 4. Yêu cầu, khiếu nại và sự cố; 7. Mức phạt; 8. Kết luận",
    "iso27559": "6. Đánh giá bối cảnh; 6.2.; 6.3.; 7. Đánh giá dữ liệu; 7.3.; 8.; 8.2.; 8.3.; 9.; 9.2.; 9.3.; 9.4.",
}
"""Beginnings of the headings, in their order, as the forms are known; written down here a second time."""
HASH = "a" * 64


def _facts(engine: Engine, config: Path | None = None) -> PaperFacts:
    province = fill_province(engine, "p1", simulated=False)
    with write(engine) as connection:
        terms = {"pulse_epsilon_milli": 500, "evidence_epsilon_milli": 1_500}
        connection.execute(update(boxes).values(**terms))
    audits = [
        audit_fact({"audit": "attack", "holds": True, "date": "2026-11-20", "claim_vi": "Giữ"}),
        audit_fact({"audit": "trace", "holds": False, "date": "2026-11-21", "problems": ["a file"]}, b"as given"),
    ]
    configs = [] if config is None else [ConfigFact("edge.toml", HASH, load_config(config))]
    with read(engine) as connection:
        day = date(2026, 11, 28)
        return gather_facts(connection, province.province_id, day, "0.1.0", configs, [card("face-affect")], audits)


def _said(paper: Any) -> str:
    document = Document(io.BytesIO(report_docx(paper)))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_the_names_are_the_forms() -> None:
    assert tuple(FORMS) == NAMES == tuple(CHECKLIST)


@pytest.mark.parametrize("name", NAMES)
def test_every_heading_is_there_in_its_order(store: Engine, name: str) -> None:
    paper = make_paper(name, _facts(store), "vi")
    document = Document(io.BytesIO(report_docx(paper)))
    headings = [p.text for p in document.paragraphs if str(p.style and p.style.name).startswith("Heading")]
    place = 0
    for wanted in (" ".join(each.split()) for each in CHECKLIST[name].split(";")):
        found = next((n for n, text in enumerate(headings[place:], place) if text.startswith(wanted)), None)
        assert found is not None, f"{wanted} is missing after {headings[:place][-1:]}"
        place = found + 1
    for number, block in enumerate(paper.blocks[:-1]):
        following = paper.blocks[number + 1]
        if isinstance(block, Heading) and isinstance(following, Heading):
            assert following.level >= block.level or following.new_page, f"nothing stands under {block.text}"


@pytest.mark.parametrize("name", NAMES)
def test_every_paper_says_that_we_are_no_lawyers_and_leaves_blanks_to_a_role(store: Engine, name: str) -> None:
    said = _said(make_paper(name, _facts(store), "vi"))
    assert "Chúng tôi không phải là luật sư" in said
    blanks = re.findall(r"…………… \(([^)]*)\)", said)
    assert len(blanks) >= 3
    assert all(re.fullmatch(r"do .+ điền", blank) for blank in blanks)
    assert "None" not in said
    assert not re.search(r"\{[a-z_]+\}", said)


def test_a_paper_is_filled_from_configuration_cards_audits_and_the_store(store: Engine, config_path: Path) -> None:
    facts = _facts(store, config_path)
    said = _said(make_paper("dpia10", facts, "vi"))
    assert "Văn phòng, tầng 1" in said, "the notice's contact"
    assert "ỦY BAN NHÂN DÂN TỈNH P1" in said
    assert "sự đồng ý của từng người dân" in said, "the basis that the box states"
    assert "matkhau" not in said, "no password of a camera"
    assert HASH in said, "the configuration's checksum"
    attack, trace = facts.audits
    for audit, code in ((attack, "0"), (trace, "1")):
        row = f"{in_language(AUDITS[audit.name], 'vi')}\n{in_language(audit.day, 'vi')}\n{code}\n{audit.sha256}"
        assert row in said
    assert "Tệp và kết nối của thiết bị: KHÔNG XÁC NHẬN, 21/11/2026" in said, "a safeguard says what was found of it"
    assert "Bộ nhớ sau lượt giao dịch: chưa có kết quả" in said
    assert facts.log_head[:32] in said
    assert "box p1-a" in said
    assert "Sở p1 a" in said
    for missing in ("schema", "wire", "budget", "log", "memory", "retention"):
        assert in_language(AUDITS[missing], "vi") in said
    card_said = _said(make_paper("system-card", facts, "vi"))
    measured = Writer("vi").number(100 * card("face-affect").metrics[0].value, 1) + " %"
    assert measured in card_said, "how often the face network is right, from its card"


def test_every_released_table_has_its_two_sentences(store: Engine) -> None:
    paper = make_paper("dpia10", _facts(store), "vi")
    said = _said(paper)
    assert said.count("làm tỷ lệ cược") == 4, "two agencies, evidence and pulse each"
    assert said.count("ảnh hưởng của nhiễu đến khoảng tin cậy của cơ quan này") == 2, "no transactions are known"
    document = Document(io.BytesIO(report_docx(paper)))
    (table,) = [each for each in document.tables if "Mức độ có thể tiết lộ" in each.rows[0].cells[1].text]
    for row in table.rows[1:]:
        assert "làm tỷ lệ cược" in row.cells[1].text
        assert "khoảng tin cậy" in row.cells[2].text
        assert row._tr.xpath("./w:trPr/w:cantSplit"), "both sentences are on one page"


def test_law_is_said_from_the_one_file(store: Engine) -> None:
    """Articles in papers are those of the data file, word for word, with their day."""
    said = _said(make_paper("yearly", _facts(store), "vi"))
    for key in ("pdpl-21-6", "d356-5", "ai-10", "d330-67"):
        article = provisions()[key]
        assert in_language(article.says, "vi") in said
        assert in_language(article.cite, "vi") in said
    assert "01/01/2026" in said
    assert "chưa đối chiếu với văn bản gốc" in said
    root = Path(__file__).parents[2] / "hailong" / "papers"
    for path in root.glob("*.py"):
        assert not re.search(r"\d+/20\d\d|Art\. \d|Điều \d", path.read_text(encoding="utf-8")), path


def test_a_form_is_filled_from_the_register_of_incidents(store: Engine) -> None:
    """Hour, deadline, people and the year's figures; what only people know stays blank."""
    province, now = Scope(fill_province(store, "p1").province_id), date(2026, 11, 28)
    with write(store) as connection:
        values = {"kind": "data", "reference": "5/SC", "noticed_day": day_index(now) - 1, "noticed_hour": 9}
        number = province.insert(connection, incidents, {**values, "people": 12})
    with read(store) as connection:
        facts = gather_facts(connection, province.province_id, now, "0.1.0", incident=number)
        with pytest.raises(NotFoundError):
            gather_facts(connection, province.province_id, now, "0.1.0", incident=number + 1)
    said = _said(make_paper("breach08", facts, "vi"))
    hours = ("9 giờ, 27/11/2026", "9 giờ, 30/11/2026")
    for words in (*hours, "5/SC", "Số người liên quan\n12", "Diễn biến, địa điểm\n……", "Đã thông báo lúc\n……"):
        assert words in said, words
    assert "bị ảnh hưởng, số người" not in said, "a number that the register knows is not asked for again"
    assert "1 sự cố, 0 thông báo trong 72 giờ" in _said(make_paper("yearly", facts, "vi"))


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that says nothing but ⟦⟧."""
    with pseudo_language(tmp_path, monkeypatch, silent=True) as code:
        yield code


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from re.findall(r"<text[^>]*>([^<]*)</text>", value) if value.startswith("<svg") else (value,)
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in ("name", "lang", "png"):
                yield from _texts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)


@pytest.mark.parametrize("name", NAMES)
def test_a_paper_holds_no_code_and_no_english(store: Engine, config_path: Path, name: str) -> None:
    """With every card that there is: a head of agency signs it."""
    facts = replace(_facts(store, config_path), cards=tuple(all_cards().values()))
    for text in _texts(make_paper(name, facts, "vi")):
        assert not re.search(r"`|--[a-z]|\.toml|\.json|\bhailong\b", text), text
        english = re.findall(r"\b(?:the|of|and|with|is|by|as|presence|queue|none|schema|audit|wire)\b", text)
        assert not english, text


def test_every_card_says_how_it_was_measured_or_that_it_was_not(store: Engine) -> None:
    facts = replace(_facts(store), cards=tuple(all_cards().values()))
    (table,) = [b for b in make_paper("system-card", facts, "vi").blocks if "Nhiệm vụ" in getattr(b, "header", ())]
    assert isinstance(table, TableBlock)
    for one, row in zip(facts.cards, table.rows, strict=True):
        known = [metric for metric in one.metrics if not metric.group]
        assert (row[3] == "chưa đo") == (not known), one.name


def test_identifiability_stands_beside_the_attack(store: Engine) -> None:
    """Of ISO/IEC 27559, 8.2: what is claimed, what an attack could show; without a result a blank with its role."""
    facts = _facts(store)
    assert "tấn công thử vào các bảng công bố\n…………… (do " in _said(make_paper("iso27559", facts, "vi"))
    figures = {"claims": {"evidence": 1.5, "pulse": 0.5}, "lower_bounds": {"evidence": 1.29, "pulse": 0.61}}
    result = {"audit": "attack", "holds": False, "date": "2026-11-20", "facts": {**figures, "confidence": 0.999}}
    said = _said(make_paper("iso27559", replace(facts, audits=(audit_fact(result),)), "vi"))
    assert "Bảng tín hiệu tháng\n1,50\n1,29\nkhông vượt mức công bố" in said
    assert "Số lượt theo khung giờ\n0,50\n0,61\nVƯỢT MỨC CÔNG BỐ" in said
    assert "20/11/2026; độ tin cậy 99,9 %" in said


def test_no_paper_holds_a_plain_sentence(store: Engine, pseudo: str) -> None:
    facts = _facts(store)
    names = names_of(store) | {facts.log_head[:32], "SHA", "HS-", "BC-", "TB-", "PL-", "VT", "phạm vi"}
    names |= {audit.sha256 for audit in facts.audits}
    law = [word for one in provisions().values() for word in (one.says.words[0][1], one.act.words[0][1])]
    one = facts.cards[0]
    names |= {one.restriction, *(data.terms for data in one.data if data.terms.isupper())}
    for name in NAMES:
        texts = list(_texts(make_paper(name, facts, pseudo)))
        for words in law:
            texts = [text.replace(words, " ") for text in texts]
        assert plain_of(texts, names) == [], name


def test_papers_speak_as_their_signer_does(store: Engine, config_path: Path) -> None:
    """No word that only those use who build the system; a method's name stands in brackets at most."""
    facts = _facts(store, config_path)
    for name in NAMES:
        said = re.sub(r"\([^()]*\)", "", _said(make_paper(name, facts, "vi")))
        jargon = re.findall(r"root|lược đồ|đỉnh|Laplace|gân sách|thông đồng|giải phóng|vùng cách ly|AUC|UAR", said)
        assert jargon == [], name


def test_papers_call_models_by_words(store: Engine) -> None:
    """No code name, and in Vietnamese no English: of tasks, of what a model learnt from and on which terms."""
    facts = replace(_facts(store), cards=tuple(all_cards().values()))
    codes = re.compile(rf"(?<![\w-])(?:{'|'.join(name for name in all_cards() if '-' in name)})(?![\w-])")
    for name in NAMES:
        said = _said(make_paper(name, facts, "vi"))
        assert codes.findall(said) == [], name
    card_said = _said(make_paper("system-card", facts, "vi"))
    assert "Bộ đọc biểu cảm khuôn mặt, bản " in card_said
    for one in facts.cards:
        for data in one.data:
            assert in_language(Message.marked(data.name), "vi") in card_said


def test_the_command_writes_docx_and_pdf(config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    engine = connect(store_url(url))
    upgrade(engine)
    fill_province(engine, "p1")
    engine.dispose()
    result = tmp_path / "attack.json"
    result.write_text(json.dumps({"audit": "attack", "holds": True, "date": "2026-11-20"}), encoding="utf-8")
    out = tmp_path / "out"
    words = ["audit", "report", "--form", "breach08", "--config", str(config_path), "--config", str(config_path)]
    words += ["--result", str(result), "--store", url, "--out", str(out), "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["audits"] == {"schema": True, "attack": True}
    assert told["holds"] is None, "what was not given is not claimed"
    assert {"trace", "memory", "ratings"} < set(told["missing"])
    assert [Path(name).name for name in told["files"]] == ["breach08-p1.docx", "breach08-p1.pdf"]
    words_of = ["pdftotext", str(out / "breach08-p1.pdf"), "-"]
    text = subprocess.run(words_of, capture_output=True, text=True, check=True).stdout
    assert "THÔNG BÁO" in text
    assert "72 giờ" in text
    result.write_text(json.dumps({"audit": "attack", "holds": False}), encoding="utf-8")
    other = tmp_path / "another-box.json"
    other.write_text(json.dumps({"audit": "attack", "holds": True}), encoding="utf-8")
    assert main([*words, "--result", str(other)]) == 1, "one that does not hold is told, whichever was named last"
    assert main(["audit", "report", "--out", str(out)]) == 1
    assert "Name its configuration with --config" in capsys.readouterr().err


@pytest.mark.parametrize("lang", languages())
def test_the_words_of_the_picture_lie_in_their_boxes(lang: str) -> None:
    svg = flow_chart(Writer(lang)).svg
    boxes = [
        tuple(map(float, found)) for found in re.findall(r'<rect x="(\d+)" y="(\d+)" width="\d+" height="(\d+)"', svg)
    ]
    lines = [tuple(map(float, found)) for found in re.findall(r'<text x="([\d.]+)" y="([\d.]+)">', svg)]
    assert len(boxes) == 5
    for x, y in lines:
        top, height = next((top, height) for left, top, height in boxes if x - left == 7 and top <= y <= top + height)
        assert y - top >= 12, "a line stands out at the top"
        assert top + height - y >= 6, "a line stands out at the bottom"


def test_a_paper_is_a_pdf_in_every_language(store: Engine) -> None:
    facts = _facts(store)
    for lang in ("vi", "en"):
        assert report_pdf(make_paper("ai02", facts, lang)).startswith(b"%PDF")
