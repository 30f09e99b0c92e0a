"""What the law says, from one data file (`law.toml`): documentation, refusals, notices and reports cite it from here.

Not legal advice: an entry says what its author read, and `read` whether that was the text itself.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from pipeline.language import NOTHING, Day, Message, Sentence, Text, in_language


@dataclass(frozen=True, slots=True)
class Provision:
    """One article. `since`: in force from that day, None where the file does not know it. `read`: whether the text
    itself was read."""

    key: str
    act: Text
    article: Text
    says: Text
    since: date | None = None
    read: bool = True

    @property
    def cite(self) -> Sentence:
        """`Decree 356/2025/NĐ-CP, Art. 6.2-6.4`."""
        if str(self.article)[0].isdigit():
            return Message("{act}, Art. {article}", act=self.act, article=self.article)
        return Message("{act}, {article}", act=self.act, article=self.article)

    @property
    def in_force(self) -> Sentence:
        """Since when, empty where the file does not know it."""
        return Message("in force since {day}", day=Day(self.since)) if self.since else NOTHING


@cache
def provisions() -> dict[str, Provision]:
    """All articles by their key, in the file's order."""
    found = {}
    text = resources.files("pipeline").joinpath("law.toml").read_text("utf-8")
    for entry in tomllib.loads(text)["provision"]:
        found[entry["key"]] = Provision(
            key=entry["key"],
            act=Text.named(vi=entry["act_vi"], en=entry["act_en"]),
            article=Text.named(vi=entry.get("article_vi", entry["article"]), en=entry["article"]),
            says=Text.named(vi=entry["vi"], en=entry["en"]),
            since=entry.get("since"),
            read=entry.get("read", True),
        )
    return found


def provision(key: str) -> Provision:
    """One article. Raises `KeyError` for a key that the file does not have."""
    return provisions()[key]


def table(lang: str) -> list[tuple[str, str, str]]:
    """(article, in force since, what it says) of all, in a language; what was not read in the text itself is marked."""
    unread = Message("(from a summary, not read in the text)")
    return [
        (
            in_language(each.cite, lang),
            Day(each.since).in_language(lang) if each.since else "",
            each.says.in_language(lang) + ("" if each.read else " " + in_language(unread, lang)),
        )
        for each in provisions().values()
    ]


def as_markdown() -> str:
    """The page docs/law.md."""
    rows = [f"| {cite} | {since} | {says} |" for cite, since, says in table("en")]
    return "\n".join(
        [
            "# Law",
            "",
            "What the law says, as its articles were read for this project. Not legal advice. Written from",
            "`pipeline/law.toml`, which the reports, the refusals of a box and the notice read, too, by",
            "`python -m pipeline.law`. What this system does about it stands in [privacy.md](privacy.md), Law.",
            "",
            "| article | in force since | what it says |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    from pathlib import Path

    Path("docs/law.md").write_text(as_markdown(), "utf-8")
