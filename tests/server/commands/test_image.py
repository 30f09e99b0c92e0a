"""The compose file of the server's image keeps to what Debian 12's podman-compose (1.0.3) understands.

That one passes `network_mode` on beside a network of its own, which podman refuses; it makes networks without the
addresses that `ipam` asks for, and knows no condition of `depends_on`. With any of them the province's first command
fails, or the web server's address is not believed (docs/field.md, "An image of the server").
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hailong
from server.commands.init import start_command

FOLDER = Path(hailong.__file__).parent / "oci_server"


def test_compose_is_plain_and_the_data_base_listens_nowhere() -> None:
    said = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    assert not re.findall(r"\b(network_mode|ipam|subnet|condition|profiles|extends)\b", said)
    data_base = said[said.index("  database:") : said.index("  web:")]
    assert 'command: ["postgres", "-c", "listen_addresses="]' in data_base
    assert "networks: [nowhere]" in data_base
    assert re.search(r"nowhere:\n    internal: true", said)
    assert "ports" not in data_base


@pytest.mark.parametrize("value", ["oci", "podman"])
def test_init_in_a_container_names_the_container_s_command(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.search(r"^ENV container=oci$", (FOLDER / "Containerfile").read_text(encoding="utf-8"), re.MULTILINE)
    monkeypatch.setenv("container", value)
    assert start_command() == "podman compose up -d"
    monkeypatch.delenv("container")
    assert "podman" not in start_command()
