"""What every part of a paper is written with: its facts, its language, tables, blanks and whoever fills them in."""

from __future__ import annotations

from hailong.papers.checks import state
from hailong.papers.facts import PaperFacts
from pipeline.language import Message, Spoken
from server.documents.blocks import Paragraph, TableBlock
from server.documents.frame import BLANK
from server.documents.writer import Writer

HEAD = Message("the head of the agency")
OFFICER = Message("the data protection officer")
OPERATOR = Message("whoever runs the servers and boxes")
SUPPLIER = Message("the supplier")
LEGAL = Message("the legal officer")
ROLES: dict[str, Message] = {
    "administrator": Message("Administrator"),
    "data_entry": Message("Data entry"),
    "analyst": Message("Analyst"),
    "privacy_officer": Message("Privacy officer"),
    "agency_reader": Message("Agency reader"),
}


class Paper:
    """One paper that is being written, in one language."""

    def __init__(self, facts: PaperFacts, lang: str) -> None:
        self.facts = facts
        self._ = Writer(lang)

    def blank(self, role: Message) -> str:
        """What the program cannot know, and who fills it in."""
        return self._("{blank} (to be filled in by {role})", blank=BLANK, role=role)

    def text(self, *sentences: str | Spoken) -> Paragraph:
        """A paragraph."""
        return Paragraph(" ".join(self._(sentence) for sentence in sentences))

    def unknown(self, *rows: tuple[Message, Message]) -> TableBlock:
        """What is asked for and stays blank: what, and the role that fills it in."""
        _ = self._
        cells = tuple((_(what), self.blank(role)) for what, role in rows)
        return TableBlock("", (_("Asked for"), _("Answer")), cells, words=2, widths=(2, 3))

    def table(self, *rows: tuple[str | Spoken, str | Spoken]) -> TableBlock:
        """What is known: two columns of words."""
        _ = self._
        cells = tuple((_(left), _(right)) for left, right in rows)
        return TableBlock("", (_("Item"), _("Content")), cells, words=2, widths=(2, 3))

    def checked(self, *names: str) -> str:
        """Audits by their words, each with its result, for a cell; whoever runs the servers vouches where no audit
        tells."""
        return "; ".join(self._(state(name, self.facts.audits)) for name in names) or self.blank(OPERATOR)

    # who -------------------------------------------------------------------------------------------------------------
