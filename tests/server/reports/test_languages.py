"""Reports and printed papers in a pseudo-language: no plain sentence is left in them, nor in a script of the pages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pipeline.calendar import parse_period
from pipeline.instruments import load_instrument
from pipeline.language import Text
from pipeline.language.update import FOLDERS, ROOT
from server.channels.online.qr_print import qr_sheet
from server.channels.paper.paper_print import forms_pdf
from server.documents.docx import report_docx
from server.documents.pdf import report_pdf
from server.reports.content import make_report
from server.reports.sources import ReportInput, gather
from server.scores.fused import agency_scores
from server.simulation.province import simulate_province
from server.store.engine import read, write
from tests.server.pseudo import names_of, plain_of, pseudo_language

PERIOD = parse_period("2026-Q3")
TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")


@pytest.fixture
def pseudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A language that says nothing but ⟦⟧, which a line break in a PDF cannot cut."""
    with pseudo_language(tmp_path, monkeypatch, silent=True) as code:
        yield code


def _texts(value: Any) -> Iterator[str]:
    """Every text of a report; of a chart what its picture says."""
    if isinstance(value, str):
        yield from TEXT.findall(value) if value.startswith("<svg") else (value,)
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in ("name", "lang", "png"):
                yield from _texts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _texts(each)


def _unknown(pdf: bytes, names: set[str], tmp_path: Path) -> set[str]:
    """The words of a PDF that no name holds."""
    path = tmp_path / "said.pdf"
    path.write_bytes(pdf)
    found = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, text=True, check=True).stdout
    return _words(found) - {word for name in names for word in _words(name)}


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", text))


def _data(store: Engine) -> ReportInput:
    with write(store) as connection:
        province = simulate_province(connection, seed=1, quarters=5, sheets_a_quarter=900).province_id
    fused = agency_scores(store, province, PERIOD)
    with read(store) as connection:
        return gather(connection, province, load_instrument("2640"), PERIOD, fused)


def test_no_report_holds_a_plain_text(store: Engine, tmp_path: Path, pseudo: str) -> None:
    data = _data(store)
    report = make_report(data, pseudo)
    names = names_of(store) | {str(data.result.province_name), data.log_head[:32], "Wilson", *"IVX"}
    assert plain_of(list(_texts(report)), names) == []
    assert _unknown(report_pdf(report), names, tmp_path) == set()
    assert report_docx(report).startswith(b"PK")


def test_no_printed_paper_holds_a_plain_text(tmp_path: Path, pseudo: str) -> None:
    instrument = load_instrument("2640")
    names = {"SO", "TINH", "K7Q2M9XD", "dot"}
    parts = (*instrument.scale, *instrument.factors, *instrument.items, *instrument.reasons)
    names |= {text.vi for text in (instrument.title, instrument.overall, *parts)}
    form = forms_pdf(
        instrument,
        ["K7Q2M9XD"],
        province=Text.named(vi="TINH"),
        agency=Text.named(vi="SO"),
        round_name="dot",
        simulated=True,
        lang=pseudo,
    )
    assert _unknown(form, names, tmp_path) == set()
    sheet = qr_sheet(["http://x.yz/s/1"], Text.named(vi="SO"), Text.named(vi="dot"), pseudo)
    assert _unknown(sheet, {*names, "http://x.yz"}, tmp_path) == set()


@pytest.mark.parametrize("suffix", [".js", ".typ"])
def test_scripts_and_print_templates_hold_no_sentence(suffix: str) -> None:
    """What they say comes to them from the catalogues."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob(f"*{suffix}"))]
    assert found
    wrong = []
    for path in found:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("//")[0]
            vietnamese = re.search(r"[À-ỹ]", code)
            sentence = re.search(r"[\"'`\[][A-ZĐ][a-z]+ [a-z]+ [a-z]+", code)
            if vietnamese or sentence or "lang ==" in code:
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert wrong == []
