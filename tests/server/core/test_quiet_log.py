"""The server's log says what failed and where, and nothing that somebody sent."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine

from pipeline.errors import StoreError
from pipeline.keys import new_keys, save_keys
from pipeline.language import Message
from server.core.config import make_config
from server.core.quiet_log import QuietFormatter, begin_log
from server.service import Service

CANARY = "0912345678"


class _Body(BaseModel):
    age: int


def _number() -> None:
    int(f"{CANARY}x")


def _key() -> None:
    {"a": 1}[CANARY]


def _body() -> None:
    _Body.model_validate({"age": CANARY + "x"})


def _chain() -> None:
    try:
        _key()
    except KeyError as error:
        raise RuntimeError(CANARY) from error


def _within() -> None:
    try:
        _number()
    except ValueError:
        _key()


def _group() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY)])


@pytest.mark.parametrize("fails", [_number, _key, _body, _chain, _within, _group])
def test_no_word_of_an_error_that_may_quote_a_value(fails: Callable[[], None]) -> None:
    try:
        fails()
    except Exception as error:
        said = QuietFormatter().formatException((type(error), error, error.__traceback__))
        kind = type(error).__name__
    assert CANARY not in said
    assert kind in said
    assert fails.__name__ in said


@pytest.mark.parametrize("error", [StoreError(Message("The store is busy.")), FileNotFoundError(2, "gone", "/a")])
def test_errors_of_ours_and_of_the_disk_say_what_is_wrong(error: Exception) -> None:
    assert str(error) in QuietFormatter().formatException((type(error), error, None))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a server's process logs: in one of its own no uvicorn has set its loggers apart before."""
    for name in ("uvicorn", "uvicorn.error"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    begin_log(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_fault_of_a_page_is_logged_without_what_was_sent(
    store: Engine, tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("server.accounts.session_page.log_in_form", fault)
    save_keys(new_keys("server"), tmp_path / "keys")
    local = {"address": "tcp://127.0.0.1:*", "enrol_address": "tcp://127.0.0.1:*"}
    with Service(store, make_config({"data_dir": tmp_path, "web": {"port": 0}, "ingest": local}, "test")) as running:
        with pytest.raises(HTTPError) as caught:
            build_opener(ProxyHandler({})).open(f"{running.web_address}/log-in?after=/{CANARY}", timeout=60)
        assert caught.value.code == 500
        caught.value.close()
    assert "ValueError" in log.getvalue()
    assert "in fault" in log.getvalue()
    assert CANARY not in log.getvalue()
