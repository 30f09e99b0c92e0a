"""JSON as rows: what an interface answers, as a table with a header.

The answer's envelope is opened (`data`); each object in it, and each object of a list in it, is a record. Inner ones
become columns `outer.inner`; a list of objects with a `code` becomes columns `CODE.field`, which is how portals list
figures. Nothing else is looked for: a document of another shape has no header, and is refused for that.
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
        flat = [_flat(record) for record in _records(document)]
    except (ValueError, RecursionError):  # no JSON, no UTF-8, a name twice, nested without end
        raise RefusedError("not_json") from None
    header = list(dict.fromkeys(name for record in flat for name in record))
    return [header, *([record.get(name) for name in header] for record in flat)] if header else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return found


def _records(document: Any) -> list[dict[str, Any]]:
    """The objects of the envelope's `data`, or of a bare list."""
    if isinstance(document, dict):
        document = document.get("data")
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
    for name, value in record.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, list):
            coded = [one for one in value if isinstance(one, dict) and isinstance(one.get("code"), str)]
            codes = [one["code"] for one in coded]
            if len(set(codes)) < len(codes):
                raise ValueError("a code stands twice in a list")
            for one in coded:
                found |= _flat(one, f"{prefix}{one['code']}.", depth + 1)
            if len(coded) < len(value):
                found[prefix + name] = json.dumps(value, ensure_ascii=False)
        else:
            found[prefix + name] = value
    return found
