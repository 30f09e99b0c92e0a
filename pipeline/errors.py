"""The error tree. Every error that a person may meet says what is wrong and what to do.

    HailongError
    ├── ConfigError        a configuration that cannot be used (key, value, file)
    ├── SourceError        a camera, microphone or file that cannot be read
    ├── ModelError         weights that are missing, altered, or not licensed for this use
    ├── KeyFileError       a key that is missing, malformed or readable by others
    ├── WireError          a message that does not fit the closed schema
    ├── BudgetError        a release that would spend more than the privacy budget
    ├── ClockError         a clock that is not trusted, or ran backwards
    ├── LogError           a transparency log that is cut, altered or forked
    ├── StoreError         a data base or outbox that cannot be read or written
    ├── ImportRowError     rows of an imported file that do not fit (carries the rows' numbers and reasons)
    └── StatisticsError    figures from which no honest estimate can be made

No message holds anything inferred from, said by or seen of a citizen.
"""

from __future__ import annotations


class HailongError(Exception):
    """Root of the tree. `fix` says in one sentence what the reader can do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()


class ConfigError(HailongError):
    """A configuration that cannot be used."""


class SourceError(HailongError):
    """A camera, microphone or media file that cannot be read."""


class ModelError(HailongError):
    """Weights that are missing, altered, or not licensed for this use."""


class KeyFileError(HailongError):
    """A key that is missing, malformed, or readable by others."""


class WireError(HailongError):
    """A message that does not fit the closed schema."""


class BudgetError(HailongError):
    """A release that would spend more than the privacy budget."""


class ClockError(HailongError):
    """A clock that is not trusted, or that ran backwards over a period's end."""


class LogError(HailongError):
    """A transparency log that is cut, altered or forked."""


class StoreError(HailongError):
    """A data base or an outbox that cannot be read or written."""


class ImportRowError(HailongError):
    """Rows of an imported file that do not fit: `rows` holds (row number, reason)."""

    def __init__(self, message: str, rows: list[tuple[int, str]], fix: str = "") -> None:
        super().__init__(message, fix)
        self.rows = rows


class StatisticsError(HailongError):
    """Figures from which no honest estimate can be made."""
