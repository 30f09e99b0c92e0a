"""Headers and labels of imported files, made comparable."""

from __future__ import annotations

import unicodedata

_D = str.maketrans({"đ": "d", "ð": "d", "ɖ": "d"})
"""Letters without a mark that Unicode takes apart; Eth and African d look like đ."""


def plain(text: str) -> str:
    """A header or label for comparing: lower case, without tone marks, only letters and digits."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_D))
    return "".join(c for c in decomposed if c.isalnum())
