"""Nothing that cannot be taken back happens at one touch: a page asks first, and names the thing.

A route that closes, locks, resets, erases or answers takes `sure: Sure`. It does its work within its transaction, and
where nobody has confirmed it yet it raises `AskFirst` there: the transaction is taken back, so that what cannot be done
is told before anybody is asked. The page sends the same form again, with `sure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Form

from pipeline.language import Joined, Message

Sure = Annotated[bool, Form()]
"""Whether the person has seen what is about to happen, and confirmed it."""
UNDONE_LATER = Message("You can take it back later, in the same place.")
FOR_GOOD = Message("It cannot be taken back.")


class AskFirst(Exception):  # noqa: N818 - a question, not an error
    """Raised within a transaction that nobody has confirmed. `question`: what is about to happen, the thing named;
    `then`: what follows from it; `yes`: the button; `fields`: what the form sends again; `back`: where one goes who
    does not want it."""

    def __init__(
        self,
        question: Message,
        *,
        yes: Message,
        then: Message | Joined = UNDONE_LATER,
        fields: Mapping[str, str] | None = None,
        back: str = "/",
    ) -> None:
        super().__init__(str(question))
        self.question, self.then, self.yes, self.back = question, then, yes, back
        self.fields = dict(fields or {})
