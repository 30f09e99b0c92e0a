"""What the law says stands in one data file; whoever cites it elsewhere cites an article that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.language import in_language, languages
from pipeline.law import as_markdown, provisions, table
from tests.docs.test_docs import tracked_texts

ROOT = Path(__file__).parents[2]
DATA = {"pipeline/law.toml", "docs/law.md"}
ACTS = r"91/2025|356/2025|134/2025|142/2026|330/2026|33/2026|2024/1689"
"""Numbers of the acts in the file (a test holds them together)."""
MENTION = re.compile(rf"(?<!\d)({ACTS}|EU AI Act)(?!\d)(?:/[A-ZĐ0-9-]+)?")
ARTICLES = re.compile(r"^[,:\s()]*(?:Art\.|Điều|entry|mục)\s*((?:[\w.()đ-]*\w\)?(?:,\s*)?)+)")
WRONG = re.compile(
    r"(?:assessment|renewed) every\s+six months|đánh giá (?:lại )?sáu tháng|biometrics? (?:are|is) sensitive|"
    r"sinh trắc học là dữ liệu (?:cá nhân )?nhạy cảm",
    re.IGNORECASE,
)
"""What was said here before the texts were read."""


def known(act: str) -> set[str]:
    """Articles of an act in the file, each part of a list by itself."""
    name = "AI Act" if act == "EU AI Act" else act
    found = [
        str(each.article.in_language("en")) for each in provisions().values() if name in each.act.in_language("en")
    ]
    return {part for article in found for part in re.split(r",\s*", article)}


def citations(line: str) -> list[tuple[str, list[str]]]:
    """Acts that a line names, each with the articles right behind it."""
    found = []
    for match in MENTION.finditer(line):
        behind = ARTICLES.match(line[match.end() :])
        articles = [] if behind is None else [part.strip(" ,") for part in behind[1].split(",") if part.strip(" ,")]
        found.append((match[1], articles))
    return found


def texts() -> list[tuple[str, str]]:
    skipped = ("docs/adr/", "tests/", "CHANGELOG")
    return [(name, text) for name, text in tracked_texts() if name not in DATA and not name.startswith(skipped)]


def test_docs_law_is_the_data_file() -> None:
    assert (ROOT / "docs/law.md").read_text("utf-8") == as_markdown(), "run: python -m pipeline.law"


def test_every_act_of_the_file_is_looked_for() -> None:
    named = {act for each in provisions().values() for act in re.findall(r"\d+/20\d\d|\d{4}/\d{4}", str(each.act))}
    assert named == set(ACTS.split("|"))


def test_no_sentence_of_law_stands_elsewhere() -> None:
    """An act is named only with an article that the file has; what that says is read there."""
    wrong = []
    for name, text in texts():
        for number, line in enumerate(text.splitlines(), 1):
            for act, articles in citations(line):
                if not articles or not all(any(each in have for have in known(act)) for each in articles):
                    wrong.append(f"{name}:{number}: {act} {articles}")
    assert wrong == []


def test_what_was_wrong_is_not_said_any_more() -> None:
    assert [(name, match.group()) for name, text in texts() if (match := WRONG.search(text))] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("face data are sensitive (Decree 356/2025)", [("356/2025", [])]),
        ("Law 91/2025/QH15, Art. 19.1.c, 19.2", [("91/2025", ["19.1.c", "19.2"])]),
        ("Luật 134/2025/QH15, Điều 11.1", [("134/2025", ["11.1"])]),
    ],
)
def test_the_search_sees_a_sentence_without_its_article(line: str, found: list[tuple[str, list[str]]]) -> None:
    assert citations(line) == found


@pytest.mark.parametrize("lang", languages())
def test_every_article_speaks_every_language(lang: str) -> None:
    rows = table(lang)
    assert len({cite for cite, _, _ in rows}) == len(rows), "an article is there once"
    assert all(len(says) > 20 and says.endswith((".", ")")) for _, _, says in rows)
    for each in provisions().values():
        assert ("Điều" in in_language(each.cite, lang)) is (lang == "vi" and str(each.article)[0].isdigit())
