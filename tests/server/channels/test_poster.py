"""What is printed for citizens: large enough to read, and every code leads to a form."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from pipeline.instruments import load_instrument
from pipeline.language import Text
from server.channels.online.qr_print import SLIPS, poster, qr_sheet
from server.channels.paper.paper_print import forms_pdf
from server.store.tables.users import Role
from tests.server.client import Browser
from tests.server.conftest import Survey

NAME = Text.named(vi="Trung tâm Phục vụ hành chính công tỉnh Mẫu", en="Centre")
URLS = [f"https://hailong.example.vn/s/abcdefghjkmnpqrstuvw{number:02d}" for number in range(SLIPS)]
LEAST_PT = 11


def _pages(pdf: bytes, folder: Path) -> list[Any]:
    (folder / "made.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "100", "-gray", "made.pdf", "page"], cwd=folder, check=True, timeout=60)
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(folder.glob("page*.pgm"))]


def test_a_poster_is_one_page_with_ten_codes_that_can_be_read(tmp_path: Path) -> None:
    (page,) = _pages(poster(URLS, NAME, NAME), tmp_path)
    inked = (page < 200).any(axis=1).nonzero()[0]
    assert (inked[1:] - inked[:-1]).max() < 0.05 * len(page), "no empty middle"
    assert (page[inked[-1] - 5 : inked[-1] - 2] < 200).mean() < 0.02, "no word where scissors go"
    found: set[str] = set()
    for _ in range(len(URLS)):  # this reader sees a few at a time: what was read is painted over
        _, said, corners, _ = cv2.QRCodeDetector().detectAndDecodeMulti(page)
        for url, quad in zip(said, corners if said else (), strict=True):
            if url:
                found.add(url)
                middle = quad.mean(axis=0)
                cv2.fillConvexPoly(page, (middle + 1.15 * (quad - middle)).astype("int32"), 255)
        if len(found) == SLIPS:
            break
    assert sorted(found) == URLS
    with pytest.raises(ValueError, match="10"):
        poster(URLS[:3], NAME, NAME)


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_a_poster_of_long_names_is_one_page(tmp_path: Path, lang: str, simulated: bool) -> None:
    """A name may have 200 letters: the poster had two pages, the codes to tear off on the second."""
    long = Text.named(
        vi=("Trung tâm Phục vụ hành chính công " * 6)[:200], en=("Public administration centre " * 7)[:200]
    )
    assert len(_pages(poster(URLS, long, long, lang, simulated=simulated), tmp_path)) == 1
    just = Text.named(vi=long.texts[0][:80], en=long.texts[1][:80])  # the longest that large words are kept for
    assert len(_pages(poster(URLS, just, just, lang, simulated=simulated), tmp_path)) == 1


@pytest.mark.parametrize("code", ["1383", "2640"])
def test_a_paper_form_is_one_sheet_front_and_back(code: str, tmp_path: Path) -> None:
    instrument = load_instrument(code)
    pdf = forms_pdf(instrument, ["ABCD2345"], province=NAME, agency=NAME, round_name="Quý IV", simulated=False)
    assert len(_pages(pdf, tmp_path)) == 2


def test_nothing_for_citizens_is_printed_smaller_than_eleven_points() -> None:
    folder = Path(qr_sheet.__code__.co_filename).parents[1]
    templates = sorted(folder.glob("*/*.typ"))
    assert len(templates) == 3
    for path in templates:
        sizes = re.findall(r"(?:text\(|size: )([\d.]+)pt", path.read_text(encoding="utf-8"))
        assert sizes
        assert min(float(size) for size in sizes) >= LEAST_PT, path.name
    css = (Path(__file__).parents[3] / "edge/tablet/static/print.css").read_text(encoding="utf-8")
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)pt", css)) >= LEAST_PT


def test_the_poster_of_a_round_has_links_of_its_own(survey: Survey) -> None:
    import httpx

    with httpx.Client(base_url=survey.url, follow_redirects=True, timeout=60.0) as client:
        browser = Browser.__new__(Browser)
        browser.http = client  # type: ignore[assignment]
        browser.log_in(survey.province.users[Role.ANALYST])
        path = f"/survey/rounds/{survey.round.id}"
        made = browser.post(f"{path}/poster", {"agency": str(survey.agency)}, form=path)
        assert made.content.startswith(b"%PDF")
        assert re.search(rf'<td [^>]*class="n">{SLIPS}</td>', client.get(path).text)
        assert browser.post(f"{path}/poster", {"agency": "999"}, form=path).status_code == 404
