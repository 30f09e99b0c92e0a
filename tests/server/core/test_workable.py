"""Settings of which each is right and that do not work together are refused before the server starts, with what to
do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hailong.cli import main
from pipeline.errors import ConfigError
from server.core.config import make_config, require_workable

HTTP = "http://hailong.example.vn"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"web": {"public_url": HTTP}}, "--insecure-cookies"),
        ({"web": {"port": 9000}, "metrics": {"port": 9000}}, "both port 9000"),
        ({"web": {"port": 5870}}, "[ingest] address are both port 5870"),
        ({"ingest": {"address": "tcp://127.0.0.1:7000", "enrol_address": "tcp://*:7000"}}, "both port 7000"),
        ({"mail": {"password_file": "/no/such/file"}}, "cannot read"),
        ({"mail": {"ca_file": "/"}}, "[mail] ca_file"),
        ({"oidc": {"ca_file": "/no/such/file"}}, "[oidc] ca_file"),
    ],
)
def test_settings_that_cannot_work(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    config = make_config({"data_dir": tmp_path, **values}, "test")
    with pytest.raises(ConfigError) as caught:
        require_workable(config)
    assert said in f"{caught.value.message} {caught.value.fix}"
    assert str(caught.value.fix)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"web": {"public_url": "https://hailong.example.vn"}},
        {"web": {"public_url": "http://localhost:8080"}},
        {"web": {"public_url": HTTP, "secure_cookies": False}},
        {"web": {"port": 0}, "metrics": {"port": 0}, "ingest": {"address": "tcp://*:*", "enrol_address": ""}},
    ],
)
def test_settings_that_work(tmp_path: Path, values: dict[str, Any]) -> None:
    require_workable(make_config({"data_dir": tmp_path, **values}, "test"))


@pytest.mark.parametrize(
    ("networks", "said"), [(["0.0.0.0/0"], "everybody"), (["::/0"], "everybody"), (["caddy"], "no address or network")]
)
def test_who_is_believed_for_an_address(tmp_path: Path, networks: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_config({"data_dir": tmp_path, "web": {"trusted_proxies": networks}}, "test")


def test_the_server_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "server.toml").write_text(f'[web]\npublic_url = "{HTTP}"\n', "utf-8")
    assert main(["server", "run", "--data-dir", str(tmp_path)]) != 0
    said = capsys.readouterr().err
    assert "Nobody could log in" in said
    assert not (tmp_path / "store.sqlite").exists()
