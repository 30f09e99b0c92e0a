"""Releases of the software on a box: beside each other, one in use, the one before kept.

    ROOT/opt/hailong/releases/VERSION-DIGEST/{venv,cache,manifest.json}     one folder for each
    ROOT/opt/hailong/current, previous, steady                              symbolic links
    ROOT/opt/hailong/trial/                                                 what a release on trial has changed
    ROOT/opt/hailong/trust.key                                              who may sign updates
    ROOT/etc/hailong/edge.toml, ROOT/var/lib/hailong/                       configuration, keys, months, outbox
    ROOT/etc/hailong/edge.toml.previous, edge.toml.new                      of the release before; of one to come
    ROOT/etc/hailong/edge.toml.before, edge.toml.draft                      before the assistant wrote; while it asks
    ROOT/etc/systemd/system/hailong-edge.service                            the hardened unit
    ROOT/usr/local/bin/hailong                                              the current release's command

`ROOT` is `/`; tests and images give another. A release is built under its final name and is complete only with its
manifest, which is written last.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.deploy.archive import BundleError
from edge.deploy.building import build_release
from edge.deploy.bundle import bundle_error
from edge.deploy.unit import JOURNAL, UPDATE_TIMER, UPDATER, USER, unit_text
from pipeline.errors import ConfigError
from pipeline.keys import public_key_bytes, verify
from pipeline.language import Message
from pipeline.privacy.sealing import CREDENTIAL_NAME


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies under a root."""

    root: Path

    @property
    def home(self) -> Path:
        """Software."""
        return self.root / "opt/hailong"

    @property
    def config(self) -> Path:
        """The box's configuration."""
        return self.root / "etc/hailong/edge.toml"

    @property
    def next_config(self) -> Path:
        """A configuration that waits for the release that needs it."""
        return self.config.with_name(self.config.name + ".new")

    @property
    def previous_config(self) -> Path:
        """The release before's configuration, where the present release came with another."""
        return self.config.with_name(self.config.name + ".previous")

    @property
    def data(self) -> Path:
        """Keys, running months, outbox, ledger, log."""
        return self.root / "var/lib/hailong"

    @property
    def runtime(self) -> Path:
        """In memory: the key of the running month."""
        return self.root / "run/hailong"

    @property
    def unit(self) -> Path:
        """The systemd unit."""
        return self.root / "etc/systemd/system/hailong-edge.service"

    @property
    def drop_ins(self) -> Path:
        """What the operator adds to the unit."""
        return self.unit.with_name(self.unit.name + ".d")

    @property
    def credential(self) -> Path:
        """The running month's key, sealed by systemd (`at_rest = "credential"`)."""
        return self.root / "etc/credstore.encrypted" / CREDENTIAL_NAME

    @property
    def journal(self) -> Path:
        """Limits of the box's own journal: it rotates by size and age."""
        return self.root / "etc/systemd/journald@hailong.conf"

    @property
    def command(self) -> Path:
        """`hailong` on everybody's path."""
        return self.root / "usr/local/bin/hailong"

    @property
    def current(self) -> Path:
        """Link to the release in use."""
        return self.home / "current"

    @property
    def previous(self) -> Path:
        """Link to the release before."""
        return self.home / "previous"

    @property
    def steady(self) -> Path:
        """Link to the last release that was at work and watched: it runs what judges another."""
        return self.home / "steady"

    @property
    def trial(self) -> Path:
        """What the release on trial has changed (`edge.deploy.trial`); not there where none is."""
        return self.home / "trial"

    @property
    def tried(self) -> Path:
        """Which releases this box does not take again by itself."""
        return self.home / "tried.json"

    @property
    def offered(self) -> Path:
        """What was fetched of a release that the server offers; the service's own."""
        return self.data / "offered"

    @property
    def updater(self) -> Path:
        """The unit that takes offered releases; a timer of the same name starts it."""
        return self.unit.with_name("hailong-edge-update.service")

    def trust(self) -> bytes:
        """The Ed25519 public key that signs updates. Raises `ConfigError` where the box was never installed."""
        try:
            return public_key_bytes((self.home / "trust.key").read_text(encoding="ascii").strip())
        except OSError as error:
            raise ConfigError(
                Message("No box is installed under {root}.", root=self.root),
                Message("Run `hailong edge install` first."),
            ) from error


def kept_path(config: Path) -> Path:
    """Where the configuration before lies, once the assistant has written another. (`.previous` is a release's.)"""
    return config.with_name(config.name + ".before")


def draft_path(config: Path) -> Path:
    """Where the assistant keeps what it was told, until the box is started."""
    return config.with_name(config.name + ".draft")


_STEPS = {
    step.msgid: step
    for step in (Message("checking the bundle's signature and files"), Message("building release {name}"))
}
"""What `build_release` says of its progress, which runs without the catalogues, too."""


def build(layout: Layout, bundle: Path, trust: bytes, say: Callable[[Message], None]) -> Path:
    """Check a bundle and build its release beside the others; returns its folder (`edge.deploy.building`).

    Raises `ConfigError` or `KeyFileError`; the releases in use are untouched."""
    try:
        return build_release(
            layout.home, bundle, trust, verify, lambda text, name: say(_STEPS[text].with_params(name=name))
        )
    except BundleError as error:
        raise bundle_error(bundle, error) from None


def run_in(release: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run `hailong ARGUMENTS` of a release."""
    return subprocess.run([str(release / "venv/bin/hailong"), *arguments], capture_output=True, text=True)


def activate(layout: Layout, release: Path) -> None:
    """Make a release the current one; the one that was becomes `previous`. Each link is replaced in one step."""
    before = layout.current.resolve() if layout.current.exists() else None
    if before is not None and before != release.resolve():
        _link(layout.previous, before)
    _link(layout.current, release)


def _link(link: Path, target: Path, through: bool = False) -> None:
    """`through`: keep the links in the target's path as they are."""
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(os.path.relpath(target if through else target.resolve(), link.parent.resolve()))
    new.replace(link)


def rely_on(layout: Layout, release: Path) -> None:
    """From now on this release judges the next one."""
    _link(layout.steady, release)


def roll_back(layout: Layout) -> Path:
    """Swap the current release with the one before. Raises `ConfigError` where there is none."""
    if not layout.previous.exists():
        raise ConfigError(
            Message("There is no earlier release on this box."), Message("Install one with `hailong edge update`.")
        )
    release = layout.previous.resolve()
    activate(layout, release)
    if layout.previous_config.exists():
        _swap(layout.config, layout.previous_config)
    return release


def _swap(one: Path, other: Path) -> None:
    place = one.with_name(one.name + ".swap")
    one.replace(place)
    other.replace(one)
    place.replace(other)


def take_config(layout: Layout) -> None:
    """Put the configuration that waits (`Layout.next_config`) in place. The present release's is kept beside it."""
    forget_config(layout)
    layout.config.replace(layout.previous_config)
    layout.next_config.replace(layout.config)
    for path in (layout.config, layout.previous_config):
        own_config(path)


def forget_config(layout: Layout) -> None:
    """From now on the release before has the present configuration, too."""
    if layout.previous_config.exists():
        wipe_file(layout.previous_config)


def prune(layout: Layout) -> None:
    """Remove releases that are neither current nor previous."""
    kept = {link.resolve() for link in (layout.current, layout.previous, layout.steady) if link.exists()}
    for release in (layout.home / "releases").iterdir():
        if release.resolve() not in kept:
            shutil.rmtree(release)


def own_config(config: Path) -> None:
    """Make a configuration the service's user's alone: a camera's password may stand in it. Where this machine has no
    such user, only its mode is set. What lies in the data folder, systemd gives to that user."""
    config.chmod(0o600)
    with contextlib.suppress(LookupError):
        shutil.chown(config, USER, USER)


def link_command(layout: Layout) -> None:
    """Put `hailong` of the current release on the path."""
    layout.command.parent.mkdir(parents=True, exist_ok=True)
    _link(layout.command, layout.current / "venv/bin/hailong", through=True)


def write_unit(layout: Layout) -> None:
    """Write the systemd units and the journal's limits, from the box's configuration. Raises `ConfigError`."""
    from edge.config import load_config

    texts = {
        layout.unit: unit_text(load_config(layout.config)),
        layout.journal: JOURNAL,
        layout.updater: UPDATER,
        layout.updater.with_suffix(".timer"): UPDATE_TIMER,
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if not layout.steady.exists() and layout.current.exists():
        rely_on(layout, layout.current)


def wipe(folder: Path) -> int:
    """Overwrite every file under a folder with random bytes, then remove it; returns how many files.

    Flash memory may keep old blocks in spite of this: what protects a stolen disk is in docs/adr, "running month"."""
    count = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and not path.is_symlink():
            count += wipe_file(path)
    shutil.rmtree(folder)
    return count


def wipe_file(path: Path) -> int:
    """Overwrite one file with random bytes, then remove it; returns 1."""
    with path.open("r+b") as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(secrets.token_bytes(min(left, 1 << 20)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    return 1
