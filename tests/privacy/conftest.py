"""A release curator on a folder of its own: with its noise, and without, so that counts can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.privacy.bench import Bench, NoNoise


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def exact(tmp_path: Path) -> Bench:
    return Bench(tmp_path, mechanism=NoNoise)
