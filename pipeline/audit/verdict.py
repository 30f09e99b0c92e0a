"""What an audit says: whether the claim holds, in Vietnamese and English, with the figures, and what it cannot
check."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.calendar import INDOCHINA


@dataclass(slots=True)
class Verdict:
    """One audit's result. `problems`: everything that speaks against the claim; the claim holds only if there is
    none."""

    audit: str
    claim_vi: str
    claim_en: str
    problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    cannot_check: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the claim."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and for the report."""
        return {**asdict(self), "holds": self.holds, "date": datetime.now(UTC).astimezone(INDOCHINA).date().isoformat()}

    def text(self) -> str:
        """For a person."""
        lines = [
            f"{name}: {_shown(value)}" for name, value in self.facts.items() if not isinstance(value, (list, dict))
        ]
        for name, value in self.facts.items():
            if isinstance(value, list):
                lines += [f"{name}:", *(f"  {_shown(each)}" for each in value)]
            elif isinstance(value, dict):
                lines += [f"{name}:", *(f"  {key}: {_shown(each)}" for key, each in value.items())]
        lines += [f"PROBLEM: {problem}" for problem in self.problems]
        lines += [f"Not checked: {sentence}" for sentence in self.cannot_check]
        if self.holds:
            lines += ["", f"KẾT LUẬN: ĐÚNG. {self.claim_vi}", f"VERDICT: holds. {self.claim_en}"]
        else:
            lines += [
                "",
                f"KẾT LUẬN: KHÔNG ĐÚNG ({len(self.problems)} vấn đề). Không xác nhận được: {self.claim_vi}",
                f"VERDICT: does not hold ({len(self.problems)} problems). Not confirmed: {self.claim_en}",
            ]
        return "\n".join(lines)


def report(verdict: Verdict, as_json: bool) -> int:
    """Print the verdict; returns the exit code."""
    print(json.dumps(verdict.as_dict(), ensure_ascii=False) if as_json else verdict.text())
    return 0 if verdict.holds else 1


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
