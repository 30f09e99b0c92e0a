"""Names that a person types into a form: a field for each language that there is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pipeline.errors import InvalidError
from pipeline.language import DEFAULT, SOURCE, Message, language, languages

MAX_NAME = 400
"""Characters of a field; how long a name may be in the store is checked where it is stored."""
_LABELS = {DEFAULT: Message("Name in Vietnamese"), SOURCE: Message("Name in English")}


def name_fields() -> list[tuple[str, Message]]:
    """The code of each language and what its field is called, Vietnamese first, which has to be filled in."""
    return [(code, _LABELS.get(code) or _another(code)) for code in languages()]


def _another(code: str) -> Message:
    return Message("Name in the language {language}", language=language(code).name)


async def _given(request: Request) -> dict[str, str]:
    """`name_vi`, `name_en`, ...: what the form holds for each language. Raises `InvalidError` for one too long."""
    form = await request.form()
    given = {f"name_{code}": str(form.get(f"name_{code}", "")).strip() for code in languages()}
    if any(len(name) > MAX_NAME for name in given.values()):
        raise InvalidError(Message("A name is too long."))
    return given


GivenNames = Annotated[dict[str, str], Depends(_given)]
"""The names of a form, by column."""
