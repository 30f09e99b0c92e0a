"""A box's configuration as a file: values written as TOML, read back by the reader, and put in place in one step."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.deploy.releases import kept_path, own_config
from pipeline.errors import ConfigError, StoreError
from pipeline.language import Message

if TYPE_CHECKING:
    from edge.config import EdgeConfig

_BARE_KEY = re.compile(r"^[A-Za-z0-9_-]+$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"})


_HEAD = (
    "# Written by hailong edge assist; docs/guide/edge.toml names every setting. After a change: hailong edge apply\n"
)


def config_text(values: dict[str, Any]) -> str:
    """Values, as `tomllib` gives them, in TOML: reading the text gives the values again.

    Raises `ConfigError` for what the file cannot hold: a control character, a kind of value that no setting has."""
    lines = [_HEAD]
    _write_table(values, "", lines)
    text = "\n".join(lines) + "\n"
    if tomllib.loads(text) != values:
        raise ConfigError(Message("The configuration cannot be written so that it reads the same."))
    return text


def write_config(values: dict[str, Any], path: Path) -> EdgeConfig:
    """Check values as the box does when it reads its file, and write them in one step: mode 0600, the service's user's
    where root writes. The file before is kept (`kept_path`).

    Raises `ConfigError` where the box would not start with them, `StoreError` where the disk refuses; then the file is
    as it was."""
    from edge.config import parse_config

    text = config_text(values)
    config = parse_config(values, text, path)
    config.privacy.require_staff_protection()
    try:
        if path.exists():
            put(path.read_bytes(), kept_path(path))
        put(text.encode(), path)
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be written ({strerror}).", path=path, strerror=error.strerror),
            Message("Run the command as root, and check the disk. The file is as it was."),
        ) from None
    return config


def put(content: bytes, path: Path) -> None:
    """Write a file of its owner alone in one step; where root writes, it is the service's user's. Raises `OSError`."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:
        own_config(part)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_table(values: dict[str, Any], name: str, lines: list[str]) -> None:
    tables = {key: value for key, value in values.items() if isinstance(value, dict) or _is_tables(value)}
    for key, value in values.items():
        if key not in tables:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in tables.items():
        full = f"{name}.{_key(key)}" if name else _key(key)
        for table in [value] if isinstance(value, dict) else value:
            lines += ["", f"[{full}]" if isinstance(value, dict) else f"[[{full}]]"]
            _write_table(table, full, lines)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _key(key: str) -> str:
    if not _BARE_KEY.match(key):
        raise ConfigError(Message("A setting cannot be called '{name}'.", name=key))
    return key


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return f'"{_string(value)}"'
    if type(value) is date:
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    raise ConfigError(Message("A value of the configuration is of a kind that no setting has."))


def _string(text: str) -> str:
    """A basic string's inside: nothing of it can end the string, whatever was typed."""
    escaped = text.translate(_ESCAPED)
    if _CONTROL.search(escaped):
        raise ConfigError(
            Message("A text holds a character that no keyboard has."), Message("Type it instead of pasting it.")
        )
    return escaped
