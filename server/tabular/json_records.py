"""JSON as rows: what an interface answers, as a table with a header.

The answer's envelope is opened (`data`, or the one list among `results`, `value`, `items`, `records`, as form programs
answer); each object in it, and each object of a list in it, is a record. Inner ones become columns `outer.inner`; a
list of objects with a `code` becomes columns `CODE.field`, which is how portals list figures. Nothing else is looked
for: a document of another shape has no header, and is refused for that; so are one page of an answer that has more, and
two values for one column.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.tabular.records import RefusedError

MAX_JSON_BYTES = 64 << 20
MAX_DEPTH = 20


def json_rows(path: Path) -> list[list[Any]]:
    """Header, then one row for each record, in the document's order. Raises `RefusedError`."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise RefusedError("part_too_large", f"{path.name}, {MAX_JSON_BYTES >> 20} MiB")
    try:
        document = json.loads(path.read_bytes(), object_pairs_hook=_unique)
        records = _records(document)
        flat = [_flat(record) for record in records]
    except (ValueError, RecursionError):  # no JSON, no UTF-8, a name twice, nested without end
        raise RefusedError("not_json") from None
    if more := _more(document, len(records)):
        raise RefusedError("page", more)
    header = list(dict.fromkeys(name for record in flat for name in record))
    return [header, *([record.get(name) for name in header] for record in flat)] if header else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


_TOTALS = frozenset(("total", "totalelements", "totalitems", "totalcount", "totalrecords", "recordstotal", "count"))
_PAGES = frozenset(("totalpages", "pagecount", "lastpage", "pages"))
_PAGING = frozenset(("meta", "paging", "pagination", "page", "links", "_links"))
_NEXT = frozenset(("next", "nextpage", "hasnext", "hasmore", "nextlink", "nextpagetoken"))


def _more(document: Any, records: int) -> str:
    """What in the envelope says that the answer goes on: a total above the records, more pages, a next one."""
    around = [one for one in (document, _inner(document)) if isinstance(one, dict)]
    layers = around + [one[name] for one in around for name in one if name in _PAGING and isinstance(one[name], dict)]
    for layer in layers:
        for name, value in layer.items():
            key = name.rpartition(".")[2].replace("_", "").replace("-", "").lower()  # `@odata.nextLink`
            number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
            more = (key in _TOTALS and number > records) or (key in _PAGES and number > 1)
            if more or (key in _NEXT and value not in (None, False, "", 0)):
                return f"{name}: {str(value)[:20]}"
    return ""


_LISTS = ("results", "value", "items", "records")


def _inner(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    lists = [document[name] for name in _LISTS if isinstance(document.get(name), list)]
    return lists[0] if "data" not in document and len(lists) == 1 else document.get("data")


def _records(document: Any) -> list[dict[str, Any]]:
    """The objects of the envelope's `data`, or of a bare list."""
    document = _inner(document)
    if isinstance(document, dict):
        return [one for value in document.values() for one in _objects(value)]
    return _objects(document)


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _flat(record: dict[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    found: dict[str, Any] = {}

    def put(more: dict[str, Any]) -> None:
        if not found.keys().isdisjoint(more):
            raise ValueError("two values for one column")
        found.update(more)

    for name, value in record.items():
        if isinstance(value, dict):
            put(_flat(value, f"{prefix}{name}.", depth + 1))
        elif isinstance(value, list):
            coded = [one for one in value if isinstance(one, dict) and isinstance(one.get("code"), str)]
            codes = [one["code"] for one in coded]
            if len(set(codes)) < len(codes):
                raise ValueError("a code stands twice in a list")
            for one in coded:
                put(_flat(one, f"{prefix}{one['code']}.", depth + 1))
            if len(coded) < len(value):
                put({prefix + name: json.dumps(value, ensure_ascii=False)})
        else:
            put({prefix + name: value})
    return found
