"""A bill of materials of a lock file (CycloneDX 1.6, JSON), and what a package index knows against it.

    python requirements/sbom.py requirements/server.lock > server.cdx.json
    python requirements/sbom.py requirements/server.lock --audit INDEX

Everything stands in the lock file, so the same file gives the same bytes, without network. With --audit the package
index at that address is asked for known vulnerabilities (PyPI's JSON API, where the index has it). Exit code 1: some
are known; 2: the index does not tell, so that nothing was checked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)\s*(;(?P<marker>[^\\]*))?"
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
TIMEOUT_S = 20
MAX_ANSWER_BYTES = 20_000_000


class LockError(Exception):
    """A line of a lock file that is no pinned, hashed package."""


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned package. `hashes`: SHA-256 of its files, hex, sorted; `marker`: where it is installed, or empty."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version}"


def read_lock(text: str) -> list[Package]:
    """The packages of a lock file, in its order. Raises `LockError`."""
    found = []
    for entry in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = entry.strip()
        if not line or line.startswith("#"):
            continue
        pinned, hashes = _PINNED.match(line), tuple(sorted(_HASH.findall(line)))
        if pinned is None or not hashes:
            raise LockError(f"not a pinned package with hashes: {line[:80]}")
        marker = (pinned["marker"] or "").split("--hash")[0].strip()
        found.append(Package(pinned["name"], pinned["version"], marker, hashes))
    return found


def bill(packages: list[Package], name: str, version: str) -> dict[str, Any]:
    """The bill of materials. Its serial number follows from its content."""
    components = []
    for package in sorted(packages, key=lambda package: (package.purl, package.marker)):
        place = f"#{hashlib.sha256(package.marker.encode()).hexdigest()[:8]}" if package.marker else ""
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": package.purl + place,
            "name": package.name,
            "version": package.version,
            "purl": package.purl,
            "hashes": [{"alg": "SHA-256", "content": found} for found in package.hashes],
        }
        if package.marker:
            component["properties"] = [{"name": "hailong:marker", "value": package.marker}]
        components.append(component)
    own = {"type": "application", "bom-ref": "hailong", "name": name, "version": version}
    content = json.dumps([own, components], sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
    }


def known_against(package: Package, index: str) -> list[str] | None:
    """Ids of the vulnerabilities that the index knows of a package, without withdrawn ones; None: it does not tell."""
    url = f"{index.rstrip('/')}/pypi/{package.name}/{package.version}/json"
    if not url.startswith(("https://", "http://")):
        raise LockError(f"not an address of an index: {index}")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http(s) only, see above
            found = json.loads(answer.read(MAX_ANSWER_BYTES)).get("vulnerabilities")
    except (urllib.error.URLError, TimeoutError, ValueError, AttributeError):
        return None
    if not isinstance(found, list):
        return None
    return [str(one.get("id")) for one in found if isinstance(one, dict) and not one.get("withdrawn")]


def audit(packages: list[Package], index: str) -> int:
    """Ask the index for every package, and say what it knows. Exit code."""
    told, silent = 0, []
    for package in packages:
        found = known_against(package, index)
        if found is None:
            silent.append(package.name)
        for one in found or ():
            told += 1
            print(f"{package.name} {package.version}: {one}")
        if len(silent) == 3 and package is packages[2]:
            break  # it tells nothing: the others need not be asked
    asked = len(packages) - len(silent)
    if told:
        print(f"{told} known vulnerabilities.")
        return 1
    if silent:
        print(f"Not checked: the index says nothing of {', '.join(silent[:5])}{' ...' if len(silent) > 5 else ''}.")
        return 2
    print(f"No known vulnerability in {asked} packages.")
    return 0


def main() -> int:
    """Print the bill, or what is known against it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lock", type=Path, help="a lock file of requirements/")
    parser.add_argument("--audit", metavar="INDEX", help="ask this package index for known vulnerabilities")
    args = parser.parse_args()
    try:
        packages = read_lock(args.lock.read_text("utf-8"))
        if args.audit:
            return audit(packages, args.audit)
    except (OSError, LockError) as error:
        print(f"{args.lock}: {error}", file=sys.stderr)
        return 1
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    json.dump(
        bill(packages, f"hailong-{args.lock.stem}", str(project["version"])), sys.stdout, indent=1, ensure_ascii=False
    )
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
