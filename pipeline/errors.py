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
    ├── ProviderError      a provider of log-ins that does not answer, or whose answer cannot be trusted
    ├── RequestError       what somebody asked for cannot be done; nothing was changed
    │   ├── InvalidError       a value that cannot be used
    │   │   └── ImportRowError     rows of an imported file that do not fit (carries their numbers and reasons)
    │   ├── NotFoundError      there is no such thing, or not for whoever asks
    │   ├── ConflictError      it is so already, or something else stands against it
    │   ├── ForbiddenError     this person may not do it
    │   └── StoppingError      the server that is to do it stops
    └── StatisticsError    figures from which no honest estimate can be made

Each class says the HTTP status under which a page answers it. No message holds anything inferred
from, said by or seen of a citizen.
"""

from __future__ import annotations

from typing import ClassVar

from pipeline.language import NOTHING, Joined, Sentence, in_language


class HailongError(Exception):
    """Root of the tree. `fix` says in one sentence what the reader can do."""

    status: ClassVar[int] = 400
    """HTTP status of a page or interface that meets this error."""

    def __init__(self, message: Sentence, fix: Sentence = NOTHING) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()

    @property
    def said(self) -> Sentence:
        """What is wrong and what to do, as one sentence."""
        return Joined((self.message, self.fix), " ") if self.fix else self.message

    def in_language(self, lang: str) -> str:
        """What is wrong and what to do, in a language."""
        return f"{in_language(self.message, lang)} {in_language(self.fix, lang)}".strip()


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

    status = 503


class ProviderError(HailongError):
    """A provider of log-ins that does not answer, or whose answer cannot be trusted. `reason`: a word for the server's
    own log, which holds nothing of what was said."""

    status = 502

    def __init__(self, message: Sentence, fix: Sentence = NOTHING, *, reason: str = "") -> None:
        super().__init__(message, fix)
        self.reason = reason


class RequestError(HailongError):
    """What somebody asked for cannot be done; nothing was changed."""


class InvalidError(RequestError):
    """A value that cannot be used: of a form, a file, an argument."""

    status = 422


class NotFoundError(RequestError):
    """There is no such thing, or not for whoever asks."""

    status = 404


class ConflictError(RequestError):
    """It is so already, or something else stands against it: a code that is taken, a round that is closed."""

    status = 409


class ForbiddenError(RequestError):
    """This person may not do it."""

    status = 403


class StoppingError(RequestError):
    """The server that is to do it stops; what was done of it was taken back."""

    status = 503


class ImportRowError(InvalidError):
    """Rows of an imported file that do not fit: `rows` holds (row number, reason), `balance` what became of the whole
    file where it was read to its end."""

    def __init__(
        self, message: Sentence, rows: list[tuple[int, str]], fix: Sentence = NOTHING, balance: object | None = None
    ) -> None:
        super().__init__(message, fix)
        self.rows = rows
        self.balance = balance


class StatisticsError(HailongError):
    """Figures from which no honest estimate can be made."""

    status = 422
