"""Headers and labels of imported files, made comparable."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """A header or label for comparing: lower case, without tone marks, only letters and digits."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(c for c in decomposed if c.isalnum())
