"""Keys: made, kept private, checked; and Z85 as ZeroMQ writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import zmq.utils.z85

from hailong.cli import main
from pipeline.errors import KeyFileError
from pipeline.keys import (
    KEY_FILE_NAME,
    KeyPair,
    load_keys,
    load_public,
    new_keys,
    save_keys,
    verify,
    z85_decode,
    z85_encode,
)


def test_z85_is_zeromq_s() -> None:
    assert z85_encode(bytes.fromhex("864FD26FB559F75B")) == "HelloWorld"  # the test case of RFC 32
    data = bytes(range(256))
    assert z85_encode(data) == zmq.utils.z85.encode(data).decode()
    assert z85_decode(z85_encode(data)) == data


@pytest.mark.parametrize("text", ["Hello", "Hell", "HelloWorl\x00", "%nSc1", "#####"])
def test_what_is_not_z85(text: str) -> None:
    if text == "Hello":
        assert len(z85_decode(text)) == 4
        return
    with pytest.raises(KeyFileError):
        z85_decode(text)


def test_the_keys_are_those_that_libzmq_makes_of_the_secret() -> None:
    import zmq

    keys = new_keys("box")
    secret = zmq.utils.z85.encode(keys.curve_secret)
    assert zmq.curve_public(secret).decode() == keys.curve_public_z85


def test_saved_keys_come_back_and_are_private(tmp_path: Path) -> None:
    keys = new_keys("box")
    path = save_keys(keys, tmp_path / "keys")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert load_keys(path, "box") == keys
    assert load_public(tmp_path / "keys" / "public.keys")["curve_public"] == keys.curve_public_z85
    public = (tmp_path / "keys" / "public.keys").read_text()
    assert z85_encode(keys.curve_secret) not in public
    assert z85_encode(keys.signing_secret) not in public


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    save_keys(new_keys("box"), tmp_path)
    with pytest.raises(KeyFileError, match="There are keys already"):
        save_keys(new_keys("box"), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.chmod(0o640), "can be read by others"),
        (lambda path: path.unlink(), "There are no keys"),
        (lambda path: path.write_text("role = "), "damaged"),
        (lambda path: path.write_text(path.read_text() + 'more = "x"\n'), "damaged"),
        (lambda path: path.write_text(path.read_text().replace('"box"', '"server"')), "not those of a box"),
        (lambda path: path.write_bytes(b"\xff\xff"), "cannot be read"),
        (
            lambda path: path.write_text(
                path.read_text().replace(load_keys(path, "box").curve_public_z85, new_keys("box").curve_public_z85)
            ),
            "do not belong together",
        ),
    ],
)
def test_keys_that_are_not_usable(change: object, said: str, tmp_path: Path) -> None:
    path = save_keys(new_keys("box"), tmp_path)
    secret = path.read_text().split("curve_secret")[1].split('"')[1]
    change(path)  # type: ignore[operator]
    with pytest.raises(KeyFileError) as caught:
        load_keys(path, "box")
    assert said in str(caught.value)
    assert secret not in str(caught.value)


def test_a_key_pair_does_not_show_its_secrets() -> None:
    keys = new_keys("box")
    assert z85_encode(keys.curve_secret) not in repr(keys)
    assert repr(keys.signing_secret) not in repr(keys)


def test_signatures() -> None:
    keys: KeyPair = new_keys("box")
    signature = keys.sign(b"data")
    assert verify(keys.signing_public, signature, b"data")
    assert not verify(keys.signing_public, signature, b"date")
    assert not verify(new_keys("box").signing_public, signature, b"data")


def test_the_command_makes_keys_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["keys", "new", "--role", "server", "--out", str(tmp_path / "k"), "--json"]
    assert main(arguments) == 0
    assert load_keys(tmp_path / "k" / KEY_FILE_NAME, "server").curve_public_z85 in capsys.readouterr().out
    assert main(arguments) == 1
    assert "keys already" in capsys.readouterr().err
