"""What was likely before anything was seen, by name: the prior under which likelihoods are evaluated."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.labels import POLARITIES
from pipeline.errors import ConfigError
from pipeline.fusion import FusionParameters
from pipeline.language import Message
from pipeline.records import EMOTIONS, EVEN


@dataclass(frozen=True, slots=True)
class Prior:
    """`shares` of (negative, neutral, positive), or of the eight emotions; each above 0, together 1."""

    name: str
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) not in (len(POLARITIES), len(EMOTIONS)):
            raise ConfigError(
                Message(
                    "A prior is of {count} or {count_2} numbers, not of {count_3}.",
                    count=len(POLARITIES),
                    count_2=len(EMOTIONS),
                    count_3=len(self.shares),
                )
            )
        if not all(math.isfinite(each) and each > 0 for each in self.shares) or abs(sum(self.shares) - 1) > 1e-3:
            raise ConfigError(Message("The numbers of a prior are above 0 and sum to 1."))

    def as_json(self) -> dict[str, Any]:
        """Its name, and a share for each class."""
        classes: Sequence[str] = POLARITIES if len(self.shares) == len(POLARITIES) else EMOTIONS
        return {"name": self.name} | {name: round(each, 4) for name, each in zip(classes, self.shares, strict=True)}


UNIFORM = Prior("uniform", EVEN)


def named_prior(name: str) -> Prior:
    """`uniform`, `counter` (that of `pipeline.fusion`), or the `prior` of a TOML file. Raises `ConfigError`."""
    if name == "uniform":
        return UNIFORM
    if name == "counter":
        return Prior(name, FusionParameters().prior)
    try:
        given = tomllib.loads(Path(name).read_text(encoding="utf-8"))["prior"]
        shares = tuple(float(each) for each in given)
    except KeyError:
        raise ConfigError(
            Message("{name} holds no `prior`.", name=Path(name).name), Message("Write: prior = [0.10, 0.75, 0.15]")
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise ConfigError(
            Message("{name} is no prior that can be read: {error}.", name=name, error=error),
            Message("Give uniform, counter, or a TOML file with `prior`."),
        ) from None
    return Prior(Path(name).name, shares)
