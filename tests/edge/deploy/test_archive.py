"""Hostile bundles: each attack is refused before anything of it is used, and nothing lies outside its folder."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.deploy.archive import BundleError, Manifest, UntrustedError, parse_manifest, peek, unpack, version_order
from edge.deploy.bundle import write_bundle
from edge.deploy.installer import verify_by_libcrypto
from pipeline.keys import KeyPair, new_keys, verify

KEYS = new_keys("server")
STRANGER = new_keys("server")
CONTENT = {"requirements.lock": b"", "wheels/one.whl": b"one" * 300, "wheels/two.whl": b"2"}

Members = list[tuple[tarfile.TarInfo, bytes]]


def file(name: str, data: bytes, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(data)
    return entry, data


def manifest_text(files: dict[str, bytes], /, **changed: object) -> bytes:
    listed = {name: sha256(data).hexdigest() for name, data in files.items()}
    return json.dumps({"version": "1.0", "platform": "x86_64", "python": "3.11", "files": listed, **changed}).encode()


def signed(text: bytes, keys: KeyPair = KEYS) -> Members:
    return [file("manifest.json", text), file("manifest.sig", keys.sign(text))]


def good() -> Members:
    return [*signed(manifest_text(CONTENT)), *(file(name, data) for name, data in sorted(CONTENT.items()))]


def packed(members: Members, form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for entry, data in members:
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def opened(data: bytes, folder: Path) -> Manifest:
    """Open these bytes in a folder of their own, and assert that nothing came to lie outside it."""
    bundle, inner = folder / "b.tar", folder / "inner"
    bundle.write_bytes(data)
    inner.mkdir()
    try:
        return unpack(bundle, KEYS.signing_public, inner, verify)
    finally:
        assert {path.name for path in folder.iterdir()} == {"b.tar", "inner"}
        assert all(path.is_file() or path.is_dir() for path in inner.rglob("*"))
        assert not any(path.is_symlink() or path.stat().st_mode & 0o7077 for path in inner.rglob("*"))


def test_a_good_bundle_opens(tmp_path: Path) -> None:
    assert opened(packed(good()), tmp_path) == parse_manifest(manifest_text(CONTENT))
    assert {name: (tmp_path / "inner" / name).read_bytes() for name in CONTENT} == CONTENT


def test_what_is_written_opens_and_is_the_same_again(tmp_path: Path) -> None:
    content = tmp_path / "content"
    for name, data in CONTENT.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        (content / name).write_bytes(data)
    made = write_bundle(content, tmp_path / "one.tar", "1.0", "x86_64", KEYS)
    write_bundle(content, tmp_path / "two.tar", "1.0", "x86_64", KEYS)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    (tmp_path / "place").mkdir()
    assert opened((tmp_path / "one.tar").read_bytes(), tmp_path / "place") == made


UNSIGNED: dict[str, Callable[[], bytes]] = {
    "nobody": lambda: packed(good()[2:]),
    "a stranger": lambda: packed([*signed(manifest_text(CONTENT), STRANGER), *good()[2:]]),
    "files first": lambda: packed([*good()[2:], *good()[:2]]),
    "a program before the manifest": lambda: packed([file("install.sh", b"#!/bin/sh\nid"), *good()]),
    "the manifest altered": lambda: packed([file("manifest.json", manifest_text(CONTENT, version="9")), *good()[1:]]),
    "a link as manifest": lambda: packed([file("manifest.json", b"", tarfile.SYMTYPE, "/etc/passwd"), *good()[1:]]),
    "a huge manifest": lambda: packed([file("manifest.json", bytes(2**20 + 1)), *good()[1:]]),
    "a long signature": lambda: packed([good()[0], file("manifest.sig", bytes(65)), *good()[2:]]),
    "an empty file": lambda: b"",
    "no tar file": lambda: b"PK\3\4" * 1000,
}


@pytest.mark.parametrize("attack", UNSIGNED)
def test_nothing_is_written_without_the_trusted_signature(tmp_path: Path, attack: str) -> None:
    with pytest.raises(BundleError):
        opened(UNSIGNED[attack](), tmp_path)
    assert list((tmp_path / "inner").iterdir()) == []


def replaced(number: int, *members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """The good bundle with one member replaced by others."""
    return packed([*good()[:number], *members, *good()[number + 1 :]])


one = CONTENT["wheels/one.whl"]
LONG = file("wheels/" + "x" * 300, b"x")
AFTER_THE_SIGNATURE: dict[str, Callable[[], bytes]] = {
    "symbolic link": lambda: replaced(3, file("wheels/one.whl", b"", tarfile.SYMTYPE, "/etc/shadow")),
    "hard link": lambda: replaced(3, file("wheels/one.whl", b"", tarfile.LNKTYPE, "requirements.lock")),
    "link, then through it": lambda: replaced(
        2, file("wheels", b"", tarfile.SYMTYPE, "/tmp"), file("requirements.lock", b"")
    ),
    "device": lambda: replaced(3, file("wheels/one.whl", b"", tarfile.CHRTYPE)),
    "pipe": lambda: replaced(3, file("wheels/one.whl", b"", tarfile.FIFOTYPE)),
    "folder": lambda: replaced(3, file("wheels/one.whl", b"", tarfile.DIRTYPE)),
    "sparse": lambda: replaced(3, file("wheels/one.whl", one, tarfile.GNUTYPE_SPARSE)),
    "parent path": lambda: replaced(3, file("../one.whl", one)),
    "absolute path": lambda: replaced(3, file("/tmp/one.whl", one)),
    "other name": lambda: replaced(3, file("wheels/six.whl", one)),
    "extra member": lambda: packed([*good(), file("wheels/z.whl", b"z")]),
    "duplicate": lambda: packed([*good(), file("wheels/two.whl", b"2")]),
    "duplicate manifest": lambda: packed([*good()[:2], *good()[:2], *good()[2:]]),
    "altered": lambda: replaced(3, file("wheels/one.whl", b"two" * 300)),
    "shorter": lambda: replaced(3, file("wheels/one.whl", one[:-1])),
    "missing": lambda: replaced(3),
    "other order": lambda: packed([*good()[:3], good()[4], good()[3]]),
    "extended header": lambda: packed([*good()[:2], LONG, *good()[2:]], tarfile.PAX_FORMAT),
    "cut": lambda: packed(good())[:2_600],
    "hidden behind the end": lambda: packed(good()) + b"more",
    "huge size": lambda: with_size(packed(good()), 3, 2**33 - 1),
    "a size in another base": lambda: with_field(packed(good()), 3, b"\x80" + bytes(10) + b"\x01"),
    "a negative size": lambda: with_field(packed(good()), 3, b"-0000000001\0"),
}


def with_size(data: bytes, number: int, size: int) -> bytes:
    return with_field(data, number, b"%011o\0" % size)


def with_field(data: bytes, number: int, field: bytes) -> bytes:
    """The size field of a member's header, with a checksum that fits."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        start = archive.getmembers()[number].offset
    block = bytearray(data[start : start + 512])
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return data[:start] + bytes(block) + data[start + 512 :]


@pytest.mark.parametrize("attack", AFTER_THE_SIGNATURE)
def test_a_signed_list_lets_nothing_else_in(tmp_path: Path, attack: str) -> None:
    with pytest.raises(BundleError):
        opened(AFTER_THE_SIGNATURE[attack](), tmp_path)


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../../x", "", ".", "a//b", "a/./b", ".x", "a\\b", "a\0b", "ä", "a b", "manifest.json", "~x",
     "a/b/c/d/e/f/g", "x" * 101, "manifest.sig/x", "C:x"],
)  # fmt: skip
def test_even_the_signer_names_no_path_outside(tmp_path: Path, path: str) -> None:
    files = {path: b"x"}
    with pytest.raises(BundleError):
        opened(packed([*signed(manifest_text(files)), file("x", b"x")]), tmp_path)
    assert list((tmp_path / "inner").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", manifest_text({}), manifest_text(CONTENT, version="1.0; rm"),
     manifest_text(CONTENT, version="1.0.dev1"), manifest_text(CONTENT, version=1), manifest_text(CONTENT, more=1),
     manifest_text(CONTENT, files={"a": "x"}), manifest_text(CONTENT, files={"a": 1}), manifest_text(CONTENT, files=[]),
     manifest_text(CONTENT, python="3.11/../x")],
)  # fmt: skip
def test_signed_nonsense_is_no_manifest(text: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(text)


def test_a_file_and_a_folder_of_one_name(tmp_path: Path) -> None:
    files = {"a": b"x", "a/b": b"y"}
    with pytest.raises(BundleError):
        opened(packed([*signed(manifest_text(files)), *(file(name, data) for name, data in files.items())]), tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 6_000), st.binary(min_size=0, max_size=40)), min_size=1, max_size=4), st.data()
)
def test_no_altered_bundle_opens(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Bytes overwritten, inserted or cut anywhere: what opens holds exactly the signed files, whatever else changed
    (owner, time and mode of a member are not signed, and not used)."""
    altered = packed(good())
    for place, piece in changes:
        kept = place if data.draw(st.booleans()) else place + len(piece)
        altered = altered[:place] + piece + altered[kept:]
    folder = tmp_path_factory.mktemp("altered")
    try:
        found = opened(altered, folder)
    except BundleError:
        return
    assert asdict(found) == json.loads(manifest_text(CONTENT))
    inner = folder / "inner"
    there = {str(path.relative_to(inner)): path.read_bytes() for path in inner.rglob("*") if path.is_file()}
    assert there == CONTENT


KINDS = st.sampled_from([bytes([kind]) for kind in b"01234567LKSxgV\0"])
NAMES = st.sampled_from([*CONTENT, "manifest.json", "manifest.sig", "../x", "/etc/cron.d/x", "wheels", "x"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, KINDS, st.binary(max_size=600), NAMES), max_size=6), st.booleans())
def test_no_archive_made_of_anything_opens(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, bytes, bytes, str]], after: bool
) -> None:
    """Any members of any kind, alone or between the signature and the files."""
    members = []
    for name, kind, data, link in made:
        entry, _ = file(name, data, kind, link)
        members.append((entry, data))
    data = packed([*good()[:2], *members, *good()[2:]] if after else members)
    folder = tmp_path_factory.mktemp("made")
    if after and not members:
        opened(data, folder)
    else:
        with pytest.raises(BundleError):
            opened(data, folder)


@pytest.mark.parametrize(
    ("older", "newer"), [("1", "1.0.1"), ("1.9", "1.10"), ("0.1.0", "0.2"), ("2.9.9", "10"), ("1.0", "1.0.0.1")]
)
def test_versions_are_numbers(older: str, newer: str) -> None:
    assert version_order(older) < version_order(newer)
    assert version_order("1.0") == version_order("1")


def test_both_verifiers_agree() -> None:
    """The installer's, which has nothing but OpenSSL, and the package's."""
    data, signature = b"manifest", KEYS.sign(b"manifest")
    cases = [
        (KEYS.signing_public, signature, data), (STRANGER.signing_public, signature, data),
        (KEYS.signing_public, signature, data + b"."), (KEYS.signing_public, signature[:-1], data),
        (KEYS.signing_public, signature + b"\0", data), (KEYS.signing_public, b"", data), (b"", signature, data),
        (KEYS.signing_public[:-1], signature, data), (bytes(32), bytes(64), data), (b"\xff" * 32, signature, data),
        (KEYS.signing_public, bytes([*signature[:32], *(b"\xff" * 32)]), data),
    ]  # fmt: skip
    found = [verify_by_libcrypto(*case) for case in cases]
    assert found == [verify(*case) for case in cases]
    assert found[0]
    assert not any(found[1:8])


def test_a_stranger_is_told_apart_from_damage(tmp_path: Path) -> None:
    with pytest.raises(UntrustedError, match="not signed by the trusted key"):
        opened(packed([*signed(manifest_text(CONTENT), STRANGER), *good()[2:]]), tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    """The service's user owns the folder of what was fetched: a pipe in the bundle's place held root's reader up."""
    bundle, inner = tmp_path / "bundle.tar", tmp_path / "inner"
    inner.mkdir()
    if kind == "pipe":
        os.mkfifo(bundle)
    elif kind == "folder":
        bundle.mkdir()
    else:
        bundle.symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="not a file"):
        peek(bundle, KEYS.signing_public, verify)
    with pytest.raises(BundleError, match="not a file"):
        unpack(bundle, KEYS.signing_public, inner, verify)
