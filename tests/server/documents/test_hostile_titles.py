"""A title is a text that somebody wrote: there is a document with any, and nothing of it is run or read."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from docx import Document

from pipeline.text import tidy
from server.documents.blocks import Heading, Paragraph, Report, TableBlock
from server.documents.docx import MAX_TITLE, report_docx
from server.documents.frame import Office, make_frame
from server.documents.pdf import report_pdf
from server.documents.writer import Writer

TITLES = {
    "as long as the property": "a" * MAX_TITLE,
    "longer than the property": "a" * (MAX_TITLE + 1),
    "endless": "Sở Nội vụ " * 2_000,
    "long, in letters that are composed": "ệ" * 400,
    "long, in letters that are not": "e\u0323\u0302" * 400,
    "long, beyond the first plane": "😀" * 300,
    "markup": '</w:t></w:r></w:p><w:p><w:r><w:instrText> INCLUDETEXT "/etc/passwd" </w:instrText></w:r></w:p>&lt;&xxe;',
    "an entity": '<!DOCTYPE a [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>&xxe;',
    "Typst": '#read("/etc/passwd") #import "@preview/x:1.0.0" $sum$ `raw` *b* @label <label> // \\',
    "a formula": "=HYPERLINK(\"http://evil.example\")+cmd|'/c calc'!A1",
    "a field": "{ DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe }",
    "controls": "a\x00b\x08c\x1bd\x0be\ufffef",
    "half a pair": "a\ud800b\udfffc",
    "directions": "a\u202eb\u2066c",
    "lines": "a\nb\r\nc\td",
    "nothing": "",
    "blanks": "   ",
}


def _report(title: str) -> Report:
    blocks = (Heading(title or "-", 1), Paragraph(title), TableBlock(title, ("A",), ((title,),)))
    return Report(title, title, "", blocks, make_frame(Office(), title, "", "BC", (title,), Writer("vi")), "vi")


@pytest.mark.parametrize("name", list(TITLES))
def test_a_docx_with_any_title_opens_and_holds_it_as_text(name: str) -> None:
    title = TITLES[name]
    file = report_docx(_report(title))
    document = Document(io.BytesIO(file))
    shown = tidy(title)
    assert document.core_properties.title.splitlines() == shown[:MAX_TITLE].splitlines()
    found = [paragraph.text.split() for paragraph in document.paragraphs]
    assert shown.split() in found, "the heading on the page is whole"
    with zipfile.ZipFile(io.BytesIO(file)) as parts:
        xml = {part: parts.read(part).decode("utf-8") for part in parts.namelist() if part.endswith((".xml", ".rels"))}
    for part, text in xml.items():
        assert "root:" not in text
        assert "<!ENTITY" not in text, part
        assert 'TargetMode="External"' not in text, part
    fields = re.findall(r"<w:instrText[^>]*>([^<]*)<", "".join(xml.values()))
    assert set(fields) <= {"PAGE"}, "no field but the page's number"


@pytest.mark.parametrize("name", ["longer than the property", "markup", "Typst", "controls", "half a pair", "lines"])
def test_a_pdf_with_any_title_is_made(name: str) -> None:
    file = report_pdf(_report(TITLES[name]))
    assert file.startswith(b"%PDF-")
    assert b"root:" not in file
