"""Every kind of file that can be imported."""

from __future__ import annotations

from pipeline.errors import NotFoundError
from pipeline.language import Message
from server.catalogue.margins import MARGINS
from server.catalogue.succession import SUCCESSORS
from server.catalogue.writing import SPECS
from server.indicators.imports import INDICATORS766
from server.indicators.sheet61 import SCORES61
from server.ratings.frame import TRANSACTIONS
from server.ratings.imports import RATINGS
from server.ratings.people import ENUMERATORS, PHONES
from server.tabular.spec import ImportSpec

_CATALOGUE = (*SPECS, SUCCESSORS)
KINDS: dict[str, ImportSpec] = {
    spec.kind: spec
    for spec in (RATINGS, TRANSACTIONS, MARGINS, INDICATORS766, SCORES61, *_CATALOGUE, ENUMERATORS, PHONES)
}
"""Kind -> what it is, in the order in which pages list them."""
OF_CATALOGUE = frozenset(spec.kind for spec in _CATALOGUE)
"""Kinds that whoever manages the catalogue alone may import."""


def find_kind(kind: str) -> ImportSpec:
    """The kind of that name. Raises `NotFoundError`."""
    if kind not in KINDS:
        raise NotFoundError(
            Message("There is no kind '{kind}'.", kind=kind),
            Message("Known: {kinds}.", kinds=", ".join(KINDS)),
        )
    return KINDS[kind]
