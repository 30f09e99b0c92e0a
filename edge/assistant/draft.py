"""What the assistant's pages have been told so far: kept beside the configuration until the box is started, so that
they can be left and taken up again."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.config import complaints
from edge.config_text import config_text, put
from edge.deploy.releases import draft_path, wipe_file
from pipeline.errors import ConfigError, StoreError
from pipeline.language import Message

STEPS = ("place", "devices", "region", "basis", "notice", "tablet", "server", "review", "finish")
"""The pages, in order. The last two are not of the draft's making."""
ASKED = STEPS[:-2]
_OF_ONE = ("camera", "microphone")
Table = dict[str, Any]


@dataclass(slots=True)
class Draft:
    """`tables`: the configuration without what is a counter's; `counters`: as `[[counter]]` tables, one at least;
    `done`: steps that were answered. Settings that no page asks for are carried through as they are."""

    tables: dict[str, Any]
    counters: list[Table]
    done: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Draft:
        """From a configuration's values, of either form."""
        tables = {"box": {}, "privacy": {}, **copy.deepcopy(values)}
        counters = tables.pop("counter", None)
        own = {name: tables.pop(name) for name in _OF_ONE if name in tables}
        if counters is None:
            label = tables.get("box", {}).pop("counter_label", "")
            counters = [{"name": "1"} | ({"label": label} if label else {}) | own]
        return cls(tables, counters)

    def values(self) -> dict[str, Any]:
        """The configuration's values: one counter without an agency of its own in the single form."""
        tables = copy.deepcopy(self.tables)
        first = self.counters[0]
        of_a_hall = first["name"] != "1" or set(first) - {"name", "label", *_OF_ONE} or tables["privacy"].get("pools")
        if len(self.counters) > 1 or of_a_hall:
            return {**tables, "counter": copy.deepcopy(self.counters)}
        only = copy.deepcopy(first)
        box = {**tables.pop("box"), **({"counter_label": only["label"]} if only.get("label") else {})}
        own = {name: only[name] for name in _OF_ONE if name in only}
        return {"box": box, "camera": {"source": "none"}, **own, **tables}

    def table(self, name: str) -> Table:
        """One of the tables, made where it is not there yet."""
        found: Table = self.tables.setdefault(name, {})
        return found

    def counter(self, name: str) -> Table:
        """A counter's table. Raises `KeyError`."""
        found = [each for each in self.counters if each["name"] == name]
        if not found:
            raise KeyError(name)
        return found[0]

    @property
    def cameras(self) -> list[Table]:
        """Counters that have a camera."""
        return [each for each in self.counters if each.get("camera", {}).get("source", "none") != "none"]

    @property
    def undrawn(self) -> list[str]:
        """Names of counters over whose picture no region was drawn yet."""
        return [each["name"] for each in self.cameras if not each["camera"].get("region")]

    @property
    def open_steps(self) -> list[str]:
        """What is still to be answered, in order."""
        undrawn = "devices" not in self.done or bool(self.undrawn)
        return [step for step in ASKED if (undrawn if step == "region" else step not in self.done)]


def load_draft(config: Path, data_dir: str) -> tuple[Draft, bool]:
    """The draft that was left, or one of the configuration as it is, or an empty one whose box keeps its files in
    `data_dir`; and whether it was left before. Raises `ConfigError` for a draft or a file that is no TOML."""
    for path, left in ((draft_path(config), True), (config, False)):
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            raise ConfigError(
                Message("{path} cannot be read as a configuration.", path=path),
                Message("Move it elsewhere and run the command again."),
            ) from None
        done = values.pop("assistant", {}).get("done", []) if left else []
        draft = Draft.of(values)
        draft.done = {step for step in done if step in ASKED}
        if not left and not complaints(values):
            draft.done = set(ASKED)  # a box that is set up: each page shows what holds, and may be answered anew
        return draft, left
    return Draft.of({"box": {"data_dir": data_dir}}), False


def save_draft(draft: Draft, config: Path) -> None:
    """Keep it, in a file of its owner alone. Raises `StoreError`, and `ConfigError` for what a file cannot hold."""
    text = config_text({**draft.values(), "assistant": {"done": sorted(draft.done)}})
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        put(text.encode(), draft_path(config))
    except OSError as error:
        raise StoreError(
            Message("{path} cannot be written ({strerror}).", path=draft_path(config), strerror=error.strerror),
            Message("Run the command as root, and check the disk."),
        ) from None


def forget_draft(config: Path) -> None:
    """The box has its configuration: the draft, with a camera's password in it, perhaps, is wiped."""
    if draft_path(config).exists():
        wipe_file(draft_path(config))
