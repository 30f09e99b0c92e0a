"""Every setting of the server is documented, with its default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from server.core.config import ServerConfig

PAGE = Path(__file__).parents[3] / "docs" / "server.md"


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(name, default) of every setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from settings(type(field.default), f"{prefix}{name}.")
        elif name != "data_dir":
            yield prefix + name, field.default


def test_every_setting_is_documented() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for name, default in settings(ServerConfig):
        line = next((line for line in lines if line.startswith(f"| `{name}` |")), None)
        assert line is not None, f"{name} is not in docs/server.md"
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"`{shown}`" in line or (default == "" and "| empty |" in line), line
