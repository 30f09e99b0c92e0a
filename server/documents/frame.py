"""The frame of an administrative document as Decree 30/2020/NĐ-CP, appendix I, lays it out: national name and motto,
issuing body, number, place and day, recipients, signature. What nobody can know beforehand stays a dotted blank."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

BLANK = "……………"
_KIND_OF_PLACE = re.compile(r"^(Tỉnh|Thành phố|Phường|Xã|Đặc khu)\b")

MARGINS_MM = {"top": 20, "bottom": 20, "left": 30, "right": 15}
"""Within the bounds of the decree: top and bottom 20-25, left 30-35, right 15-20."""
BODY_PT, TABLE_PT, WIDE_TABLE_PT = 13.0, 11.0, 9.5
"""Size of the text (13 to 14), of tables, and of tables with more than `WIDE_FROM` columns."""
WIDE_FROM = 6
SHORT_TABLE = 4
"""Rows of a table that no page break goes through."""
FONTS = ("Times New Roman", "Liberation Serif", "Tinos", "Libertinus Serif")
"""The decree's typeface, then free ones of the same measures, then the one that Typst itself brings."""


@dataclass(frozen=True, slots=True)
class Office:
    """Who issues documents: a province's settings `office_*`; empty where nobody has said it."""

    superior: str = ""
    issuer: str = ""
    symbol: str = ""
    place: str = ""
    signer_title: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame's texts in the document's language; lines that may be absent are empty.

    `kind`: the type of the document, above its title (BÁO CÁO, KẾ HOẠCH, HỒ SƠ); empty where the title says it."""

    country: str
    motto: str
    superior: str
    issuer: str
    number: str
    place_and_day: str
    kind: str
    recipients_head: str
    recipients: tuple[str, ...]
    signer_title: str
    signer_hint: str


def committee_of(province: str, _: Callable[..., str]) -> str:
    """The body that issues where nobody has said which; after other words a Vietnamese kind of place is written small
    (Ủy ban nhân dân tỉnh Lào Cai)."""
    return _("People's Committee of {province}", province=_KIND_OF_PLACE.sub(lambda kind: kind[0].lower(), province))


def make_frame(
    office: Office, province: str, kind: str, abbreviation: str, recipients: tuple[str, ...], _: Callable[..., str]
) -> Frame:
    """The frame of one document. `abbreviation`: of its type within the number (BC, KH). `_` says a sentence."""
    issuer = office.issuer or committee_of(province, _)
    return Frame(
        country=_("SOCIALIST REPUBLIC OF VIET NAM"),
        motto=_("Independence - Freedom - Happiness"),
        superior=office.superior.upper(),
        issuer=issuer.upper(),
        number=_("No.: {number}/{symbol}", number="……", symbol=f"{abbreviation}-{office.symbol or '……'}"),
        place_and_day=_("{place}, day …… month …… year 20……", place=office.place or BLANK),
        kind=kind.upper(),
        recipients_head=_("Recipients:"),
        recipients=(*(f"- {each};" for each in recipients), _("- Archive: {symbol}.", symbol="VT, ……")),
        signer_title=(office.signer_title or _("HEAD OF THE AGENCY")).upper(),
        signer_hint=_("(Signature, seal of the agency, full name)"),
    )
