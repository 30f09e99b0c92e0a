"""The gateways' keys are in no copy of the store: sealed under a key outside of it, also after a migration, in backups
and after a restore; a key that may be known is renewed."""

from __future__ import annotations

import argparse
import os
import re
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from pipeline.errors import StoreError
from server.app import create_app
from server.channels.gateway.gateway import find_gateway, make_gateway
from server.channels.gateway.sealed_keys import open_key, seal_key, seal_open_keys
from server.commands import restore as restore_command
from server.core.config import make_config
from server.core.secret_keys import COOKIE_KEY, GATEWAY_KEY, RECEIPT_KEY, read_secret
from server.retention.policy import findings
from server.retention.traces import forget
from server.store.archive import backup
from server.store.engine import connect, read, write
from server.store.sealing import Seal
from server.store.tables.gateways import gateways
from server.store.tables.users import Role
from tests.server.channels.test_pages import World


@pytest.fixture
def world(store: Engine, tmp_path: Path) -> World:
    return World(store, tmp_path)


def _make(world: World, kind: str = "sms") -> str:
    opened = world.round(world.mine).id
    with write(world.store) as connection:
        key = world.app.state.web.gateway_key
        return make_gateway(connection, world.mine.province_id, f"gw_{kind}", kind, opened, None, key)


def _held(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("store.sqlite*"))


def test_no_file_of_the_store_holds_a_gateways_key(world: World, tmp_path: Path) -> None:
    secret = _make(world)
    held = _held(tmp_path)
    assert secret.encode() not in held
    assert bytes.fromhex(secret) not in held
    with read(world.store) as connection:
        found = find_gateway(connection, "gw_sms", world.app.state.web.gateway_key)
        assert found is not None
        assert found.secret == secret
        assert secret not in repr(found)
        assert find_gateway(connection, "gw_sms", bytes(32)) is None, "under another key it proves nothing"


def test_what_an_older_version_kept_in_the_clear_is_sealed_at_the_next_start(world: World, tmp_path: Path) -> None:
    _make(world)
    plain = secrets.token_hex(32)
    with write(world.store) as connection:
        connection.execute(update(gateways).values(secret=plain))
    with read(world.store) as connection:
        assert [one.table for one in findings(connection, world.mine.province_id)] == ["gateways"], "the audit tells it"
    create_app(world.store, make_config({"data_dir": tmp_path}, "test"))
    forget(world.store)
    assert plain.encode() not in _held(tmp_path)
    with read(world.store) as connection:
        assert findings(connection, world.mine.province_id) == []
        found = find_gateway(connection, "gw_sms", world.app.state.web.gateway_key)
    assert found is not None
    assert found.secret == plain, "the gateway itself notices nothing"


def test_the_keys_travel_in_a_sealed_backup_alone(world: World, tmp_path: Path) -> None:
    secret = _make(world)
    receipts = world.app.state.web.receipt_key
    passphrase = "a passphrase of the test"
    backup(world.store, tmp_path / "open.zip")
    backup(world.store, tmp_path / "with.age", tmp_path / "keys", for_whom=Seal(passphrase=passphrase))
    (tmp_path / "words").write_text(passphrase)
    for name, opener, knows in (("open.zip", None, False), ("with.age", tmp_path / "words", True)):
        folder = tmp_path / f"other-{name}"
        arguments = {"file": tmp_path / name, "with_keys": knows, "identity": None, "passphrase_file": opener}
        restore_command.run(argparse.Namespace(**arguments, replace=False, json=True, data_dir=folder, store=None))
        config = make_config({"data_dir": folder}, "test")
        engine = connect(config.store_url)
        with read(engine) as connection:
            found = find_gateway(connection, "gw_sms", read_secret(config, GATEWAY_KEY))
        engine.dispose()
        assert (found is not None and found.secret == secret) is knows
        assert (read_secret(config, RECEIPT_KEY) == receipts) is knows, "a dossier gets no second link"


def test_a_key_that_may_be_known_is_renewed_on_the_page(world: World) -> None:
    """Also the kind that asks for receipts is made there (the page offered it, and refused it)."""
    staff = world.browser(Role.ANALYST)
    page = f"/survey/rounds/{world.round(world.mine).id}"
    answers = [
        staff.post(f"{page}/gateways", {"code": "motcua", "kind": "one_stop"}, form=page),
        staff.post(f"{page}/gateways/key", {"code": "motcua", "sure": "true"}, form=page),
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    first, second = (re.findall(r'id="key">([0-9a-f]{64})<', answer.text)[0] for answer in answers)
    assert "/api/receipts" in answers[1].text
    with read(world.store) as connection:
        found = find_gateway(connection, "motcua", world.app.state.web.gateway_key)
    assert found is not None
    assert found.secret == second != first
    other = f"/survey/rounds/{world.round(world.theirs).id}/gateways/key"
    assert staff.post(other, {"code": "motcua"}, form=page).status_code == 404
    assert world.browser(Role.DATA_ENTRY).post(f"{page}/gateways/key", {"code": "motcua"}).status_code == 403


def test_a_seal_holds_for_its_gateway_alone(world: World) -> None:
    _make(world)
    with write(world.store) as connection:
        sealed = connection.execute(select(gateways.c.secret)).scalar_one()
        connection.execute(update(gateways).values(code="gw_other"))
        assert find_gateway(connection, "gw_other", world.app.state.web.gateway_key) is None
    assert open_key(sealed, "gw_sms", world.app.state.web.gateway_key) is not None


@given(st.one_of(st.text(max_size=120), st.binary(max_size=80).map(lambda raw: "v1." + raw.hex())))
def test_what_is_no_seal_opens_nothing(text: str) -> None:
    assert open_key(text, "gw", bytes(32)) is None


@given(st.binary(min_size=32, max_size=32), st.integers(3, 83))
def test_a_seal_that_was_altered_opens_nothing(secret: bytes, place: int) -> None:
    sealed = seal_key(secret.hex(), "gw", bytes(32))
    assert len(sealed) == 83
    place = min(place, len(sealed) - 1)
    letter = "A" if sealed[place] != "A" else "B"
    changed = open_key(sealed[:place] + letter + sealed[place + 1 :], "gw", bytes(32))
    assert changed is None or changed == secret.hex(), "spare bits of base64 alone change nothing"


def test_secrets_lie_beside_the_keys_or_come_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config({"data_dir": tmp_path}, "test")
    (tmp_path / COOKIE_KEY).write_bytes(b"c" * 32)  # where it lay before
    assert read_secret(config, COOKIE_KEY) == b"c" * 32
    assert not (tmp_path / COOKIE_KEY).exists()
    made = read_secret(config, GATEWAY_KEY)
    assert read_secret(config, GATEWAY_KEY) == made
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600 or path.name == COOKIE_KEY
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    given_by_systemd = tmp_path / "credentials"
    given_by_systemd.mkdir()
    (given_by_systemd / GATEWAY_KEY).write_bytes(b"g" * 32)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", os.fspath(given_by_systemd))
    assert read_secret(config, GATEWAY_KEY) == b"g" * 32
    assert read_secret(config, COOKIE_KEY) == b"c" * 32
    (given_by_systemd / GATEWAY_KEY).write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged"):
        read_secret(config, GATEWAY_KEY)


def test_a_store_without_open_keys_needs_no_key(world: World) -> None:
    """`hailong server upgrade` with a store alone makes no folder of keys anywhere."""

    def none() -> bytes:
        raise AssertionError("asked for the key")

    assert seal_open_keys(world.store, none) == 0
    _make(world)
    assert seal_open_keys(world.store, none) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_key_made_by_root_is_the_services(tmp_path: Path) -> None:
    os.chown(tmp_path, 12_345, 12_345)
    config = make_config({"data_dir": tmp_path}, "test")
    read_secret(config, GATEWAY_KEY)
    for path in (tmp_path / "keys", tmp_path / "keys" / GATEWAY_KEY):
        assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 12_345)
