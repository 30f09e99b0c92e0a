"""What an audit says: whether the claim holds, in the language of whoever asks, with the figures, and what it cannot
check."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.audit.figures import figure_words
from pipeline.calendar import INDOCHINA
from pipeline.language import SOURCE, Message, Plural, Sentence, Spoken, in_language, is_spoken, languages, translator
from pipeline.language.console import console_language, plain, said, spoken


@dataclass(slots=True)
class Verdict:
    """One audit's result. `problems`: everything that speaks against the claim; the claim holds only if there is none.

    Sentences are held as messages. Figures may be: plain data, whose texts are codes, with messages where a person is
    told something."""

    audit: str
    claim: Sentence
    problems: list[Sentence] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    cannot_check: list[Sentence] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the claim."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and for the report: `problems`, `facts` and `cannot_check` in English, which programs may
        compare, and beside each the same in every other language (`problems_vi`); of the facts, those that read
        otherwise in it."""
        facts = spoken("facts", self.facts)
        for lang in languages():
            if other := facts.get(f"facts_{lang}"):
                facts[f"facts_{lang}"] = {
                    name: value for name, value in other.items() if value != facts["facts"].get(name)
                }
        return {
            "audit": self.audit,
            **{f"claim_{lang}": str(self.claim) if lang == SOURCE else said(self.claim, lang) for lang in languages()},
            **spoken("problems", self.problems),
            **facts,
            **spoken("cannot_check", self.cannot_check),
            "holds": self.holds,
            "date": datetime.now(UTC).astimezone(INDOCHINA).date().isoformat(),
        }

    def text(self, lang: str = SOURCE) -> str:
        """For a person."""
        _ = translator(lang)
        lines = []
        for name, value in sorted(self.facts.items(), key=lambda fact: isinstance(fact[1], list | dict)):
            title = in_language(figure_words(name), lang)
            if isinstance(value, list | dict):
                lines += [f"{title}:", *(f"  {each}" for each in _entries(value, lang))]
            else:
                lines.append(f"{title}: {_shown(value, lang)}")
        lines += [_("PROBLEM: {problem}", problem=problem) for problem in self.problems]
        lines += [_("Not checked: {what}", what=each) for each in self.cannot_check]
        return "\n".join([*lines, "", in_language(self._verdict(), lang)])

    def _verdict(self) -> Spoken:
        if self.holds:
            return Message("VERDICT: holds. {claim}", claim=self.claim)
        return Plural(
            "VERDICT: does not hold ({count} problem). Not confirmed: {claim}",
            "VERDICT: does not hold ({count} problems). Not confirmed: {claim}",
            count=len(self.problems),
            claim=self.claim,
        )


def report(verdict: Verdict, as_json: bool) -> int:
    """Print the verdict; returns the exit code."""
    print(json.dumps(verdict.as_dict(), ensure_ascii=False) if as_json else verdict.text(console_language()))
    return 0 if verdict.holds else 1


def _entries(value: list[Any] | dict[Any, Any], lang: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{in_language(figure_words(key), lang)}: {_shown(each, lang)}"
    else:
        for each in value:
            yield _shown(each, lang)


def _shown(value: object, lang: str) -> str:
    if isinstance(value, bool):
        return in_language(Message("yes") if value else Message("no"), lang)
    if isinstance(value, Mapping):
        return "; ".join(_entries(dict(value), lang))
    if isinstance(value, list | tuple):
        return ", ".join(_shown(each, lang) for each in value)
    if is_spoken(value):
        return in_language(value, lang)
    return f"{value:.4g}" if isinstance(value, float) else str(plain(value))
