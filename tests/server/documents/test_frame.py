"""A DOCX is laid out as Decree 30/2020/NĐ-CP, appendix I, says, and its parts say what they have to."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Pt

from pipeline.calendar import day_index
from pipeline.instruments import load_instrument
from pipeline.language import Text, languages
from server.documents.blocks import Block, ChartBlock, Heading, ListBlock, Paragraph, Report, TableBlock
from server.documents.docx import TEXT_MM, column_widths, columns_of_words, report_docx
from server.documents.frame import Office, committee_of, make_frame
from server.documents.pdf import report_pdf
from server.documents.writer import Writer
from server.sampling.document import plan_document

OFFICE = Office("UBND tỉnh Mẫu", "Sở Nội vụ", "SNV", "Mẫu", "Giám đốc")
TABLE = TableBlock("Bảng", ("Cơ quan", "Chỉ số"), tuple((f"Cơ quan số {n}", f"{n},0") for n in range(90)))


def _report(office: Office = OFFICE, lang: str = "vi") -> Report:
    _ = Writer(lang)
    blocks = (Heading("I. PHẦN", 1), Heading("1. Mục"), Paragraph("Nội dung. " * 30), ListBlock(("a", "b")), TABLE)
    frame = make_frame(office, "tỉnh Mẫu", "Báo cáo", "BC", ("Sở A",), _)
    return Report("Về một việc", "quý III năm 2026", "", blocks, frame, lang)


def _document(report: Report) -> Any:
    return Document(io.BytesIO(report_docx(report)))


def test_page_and_type_are_the_decrees() -> None:
    """A4; top and bottom 20-25 mm, left 30-35, right 15-20; Times New Roman, 13 to 14 points, black."""
    document = _document(_report())
    section = document.sections[0]
    assert [round(size.mm, 1) for size in (section.page_width, section.page_height)] == [210, 297]
    assert all(20 <= round(edge.mm, 1) <= 25 for edge in (section.top_margin, section.bottom_margin))
    assert 30 <= round(section.left_margin.mm, 1) <= 35
    assert 15 <= round(section.right_margin.mm, 1) <= 20
    for name in ("Normal", "Heading 1", "Heading 2", "Heading 3"):
        style = document.styles[name]
        assert Pt(13) <= style.font.size <= Pt(14)
        assert str(style.font.color.rgb) == "000000"
        fonts = style.element.rPr.rFonts
        assert {fonts.get(qn(f"w:{kind}")) for kind in ("ascii", "hAnsi", "cs", "eastAsia")} == {"Times New Roman"}
        assert fonts.get(qn("w:asciiTheme")) is None, "a theme's font would win over the name"


def test_head_and_foot_hold_what_the_decree_names() -> None:
    document = _document(_report())
    left, right = (cell.text.split("\n") for cell in document.tables[0].rows[0].cells)
    assert left[:2] == ["UBND TỈNH MẪU", "SỞ NỘI VỤ"]
    assert left[-1] == "Số: ……/BC-SNV"
    assert right[:2] == ["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "Độc lập - Tự do - Hạnh phúc"]
    assert right[-1] == "Mẫu, ngày …… tháng …… năm 20……"
    assert [p.text for p in document.paragraphs if p.text][:3] == ["BÁO CÁO", "Về một việc", "quý III năm 2026"]
    recipients, signature = (cell.text.split("\n") for cell in document.tables[-1].rows[0].cells)
    assert recipients == ["Nơi nhận:", "- Sở A;", "- Lưu: VT, ……."]
    assert signature[0] == "GIÁM ĐỐC"


def test_an_office_that_nobody_named_leaves_blanks() -> None:
    document = _document(_report(Office()))
    left, right = (cell.text.split("\n") for cell in document.tables[0].rows[0].cells)
    assert left[0] == "ỦY BAN NHÂN DÂN TỈNH MẪU"
    assert left[-1] == "Số: ……/BC-……"
    assert right[-1].startswith("……………, ngày ……")
    assert document.tables[-1].rows[0].cells[1].text.startswith("THỦ TRƯỞNG CƠ QUAN")


def test_a_kind_of_place_after_other_words_is_written_small() -> None:
    _ = Writer("vi")
    assert committee_of("Tỉnh Lào Cai", _) == "Ủy ban nhân dân tỉnh Lào Cai"
    assert committee_of("Thành phố Huế", _) == "Ủy ban nhân dân thành phố Huế"
    assert committee_of("Lào Cai", _) == "Ủy ban nhân dân Lào Cai"


def test_pages_are_numbered_from_the_second_on() -> None:
    section = _document(_report()).sections[0]
    assert section.different_first_page_header_footer
    assert "PAGE" not in section.first_page_header._element.xml
    assert "PAGE" in section.header._element.xml


@pytest.mark.parametrize("lang", languages())
def test_the_pdf_is_laid_out_the_same(lang: str, tmp_path: Path) -> None:
    path = tmp_path / "r.pdf"
    path.write_bytes(report_pdf(_report(lang=lang)))
    pages = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True).stdout
    first, second = pages.split("\f")[:2]
    _ = Writer(lang)
    assert _("SOCIALIST REPUBLIC OF VIET NAM") in first
    assert first.strip().split()[0] != "1", "no number on the first page"
    assert second.strip().split("\n")[0].strip() == "2"


def _pages(blocks: tuple[Block, ...], tmp_path: Path, *options: str) -> list[str]:
    path = tmp_path / "r.pdf"
    path.write_bytes(report_pdf(replace(_report(), blocks=blocks)))
    said = subprocess.run(["pdftotext", *options, path, "-"], capture_output=True, text=True, check=True).stdout
    return said.split("\f")


def test_no_page_break_goes_through_a_short_table_or_in_between_it_and_what_announces_it(tmp_path: Path) -> None:
    table = TableBlock("", ("Mục", "Nội dung"), (("dòng đầu", "1"), ("dòng giữa", "2"), ("dòng cuối", "3")), words=2)
    blocks: tuple[Block, ...] = (Paragraph("Gồm có:"), table, *[Paragraph("Hết.")] * 9)
    for lines in range(15, 22):
        pages = _pages((*(Paragraph(f"Dòng {n}.") for n in range(lines)), *blocks), tmp_path)
        whole = [all(words in page for words in ("Gồm có:", "dòng đầu", "dòng giữa", "dòng cuối")) for page in pages]
        assert sum(whole) == 1, lines
    document = _document(replace(_report(), blocks=blocks))
    announced = next(p for p in document.paragraphs if p.text == "Gồm có:")
    assert announced.paragraph_format.keep_with_next
    rows = [row.cells[0].paragraphs[0].paragraph_format.keep_with_next for row in document.tables[1].rows]
    assert rows == [True, True, True, False]
    assert not any(
        row.cells[0].paragraphs[0].paragraph_format.keep_with_next for row in _document(_report()).tables[1].rows[:-1]
    ), "a long one goes over pages"


def test_a_hash_is_as_large_as_what_stands_beside_it_and_within_its_cell(tmp_path: Path) -> None:
    table = TableBlock("", ("Tệp", "SHA-256", "Kết quả"), (("edge.toml", "5f" * 32, "sau"),), words=3)
    words = re.findall(
        r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]+)<',
        "".join(_pages((table,), tmp_path, "-bbox")),
    )
    places = [(float(left), float(right), float(bottom) - float(top), text) for left, top, right, bottom, text in words]
    beside = next(place for place in places if place[3] == "sau")
    pieces = [place for place in places if place[3].startswith("5f5f")]
    assert "".join(place[3] for place in pieces).replace("\u200b", "") == "5f" * 32
    assert all(abs(place[2] - beside[2]) < 0.1 and place[1] < beside[0] for place in pieces)


def test_columns_fill_the_page_and_intervals_are_whole() -> None:
    shares = column_widths(TABLE)
    assert sum(shares) == pytest.approx(1)
    assert " " not in Writer("vi").limits(80.04, 98.5)
    assert column_widths(TableBlock("", ("a", "b"), (), widths=(3, 1))) == (0.75, 0.25)


def test_a_sentence_in_a_table_leaves_room_for_the_figures() -> None:
    """`100,0` at 11 points takes 9.1 mm, and 2.6 mm beside it: a column that is narrower cuts the figure."""
    said = "Tín hiệu gián tiếp không bổ sung thông tin ở đây: giữ kết quả theo phiếu khảo sát."
    interval = Writer("vi").limits(76.2, 100.0)
    row = ("Phường Bến Trắng", "100,0", interval, "100,0", interval, said)
    block = TableBlock("", ("Cơ quan", "Theo phiếu khảo sát", "95 %", "Ước lượng kết hợp", "95 %", "Tín hiệu"), (row,))
    assert columns_of_words(block) == (True, False, False, False, False, True)
    assert TEXT_MM * column_widths(block)[1] >= 11.7
    assert TEXT_MM * column_widths(block)[2] >= 23.6, "an interval on one line"


def test_a_chart_of_many_agencies_is_not_cut() -> None:
    row = struct.pack(">IIBBBBB", 100, 400, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", row), (b"IDAT", zlib.compress(bytes(101 * 400))), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="400"><rect width="100" height="400"/></svg>'
    frame = make_frame(Office(), "tỉnh Mẫu", "Báo cáo", "BC", (), Writer("vi"))
    report = Report("Báo cáo", "", "", (ChartBlock("x", "Biểu đồ", svg, png),), frame)
    (shape,) = Document(io.BytesIO(report_docx(report))).inline_shapes
    assert (round(shape.height.mm), round(shape.width.mm)) == (225, 56)


def test_a_plan_names_its_frames_period_in_words() -> None:
    """`2026-Q3` is a code; within a Vietnamese sentence a quarter is written small."""
    first = day_index(date(2026, 7, 1))
    held = SimpleNamespace(
        name=Text.named(vi="Đợt 3"),
        code="r",
        first_day=first,
        last_day=first + 91,
        load_instrument=lambda: load_instrument("2640"),
    )
    settings = {"frame": "2026-Q3", "seed": 1, "error": 0.05, "scope": "level", "method": "proportional"}
    empty = {"rows": (), "with_forms": (), "without_forms": 0, "forms": 0}
    state: Any = SimpleNamespace(code="k", round=held, settings=settings, **empty)
    province: Any = SimpleNamespace(name=Text.named(vi="Tỉnh Mẫu"), simulated=False)
    first_paragraph = next(
        block.text for block in plan_document(state, province, OFFICE).blocks if isinstance(block, Paragraph)
    )
    assert first_paragraph.endswith("Khung mẫu là các giao dịch của quý III năm 2026.")
