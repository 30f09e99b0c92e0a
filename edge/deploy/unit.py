"""The systemd unit of a box: no new privileges, a read-only system, an allow-list of addresses, limits of memory.

The unit depends on a few settings of the box (`Needs`). It carries their digest, and a box refuses to start, or to read
its configuration anew, under a unit that was written for others (`require_fitting_unit`): a camera that no device rule
lets in, or a server that no packet reaches, would fail for ever and look like a broken cable.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from dataclasses import astuple, dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.perception.scrub import ENVIRONMENT as MEMORY_ENVIRONMENT
from pipeline.errors import ConfigError
from pipeline.language import Message

if TYPE_CHECKING:
    from edge.config import EdgeConfig

UNIT_NAME = "hailong-edge"
USER = "hailong"
NEEDS_VARIABLE = "HAILONG_UNIT_NEEDS"

JOURNAL = """# The box's own journal rotates by size and by age.
[Journal]
SystemMaxUse=50M
MaxRetentionSec=30day
Compress=yes
"""

_CREDENTIAL = "LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}\n"

UNIT = """# Written by `hailong edge apply`; see docs/hardening.md. Change edge.toml and apply it, or add a drop-in.
[Unit]
Description=Hai Long edge box
Wants=network-online.target time-sync.target{timer}
After=network-online.target time-sync.target

[Service]
# Started only once every file, network, device and port is open: what cannot work is not called running.
Type=notify
NotifyAccess=main
TimeoutStartSec=180
ExecStart=/opt/hailong/current/venv/bin/hailong edge run --config /etc/hailong/edge.toml
# the shell's own kill: a bare Debian has no other
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
Environment={needs_variable}={needs}
Environment=PYTHONDONTWRITEBYTECODE=1
# Freed memory is overwritten, in all sizes (edge/perception/scrub.py).
{memory}User=hailong
Group=hailong
SupplementaryGroups=video audio
StateDirectory=hailong
StateDirectoryMode=0700
# The key of the running month lives in memory: it must outlive a restart of the service, not of the machine.
RuntimeDirectory=hailong
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
{credential}LogNamespace=hailong
Restart=always
RestartSec=10
TimeoutStopSec=30
KillSignal=SIGTERM

# A crash leaves no picture of the memory, and memory never goes to a disk.
LimitCORE=0
MemorySwapMax=0
MemoryHigh={memory_high}
MemoryMax={memory_max}
TasksMax={tasks}
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateUsers={private_users}
# Other users' processes are hidden; the rest of /proc is not, as ONNX Runtime reads /proc/cpuinfo.
ProtectProc=invisible
# ProtectClock would also forbid to read whether the clock is synchronised; without CAP_SYS_TIME it cannot be set.
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @obsolete
SystemCallFilter=adjtimex
# ZeroMQ and OpenBLAS set up their own threads so, and abort where they may not; RestrictRealtime stands before it.
SystemCallFilter=sched_setscheduler sched_setparam sched_setaffinity
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

DevicePolicy=closed
{devices}
{addresses}

[Install]
WantedBy=multi-user.target
"""


UPDATER = """# Written by `hailong edge apply`: judges what a power cut left, takes what is offered in quiet hours.
[Unit]
Description=Hai Long edge box: offered updates
After=hailong-edge.service

[Service]
Type=oneshot
# the last release that was at work and watched, not one that is on trial
ExecStart=/opt/hailong/steady/venv/bin/hailong edge update --offered
LogNamespace=hailong
TimeoutStartSec=6h
Nice=10
IOSchedulingClass=idle
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
"""

UPDATE_TIMER = """# Written by `hailong edge apply`. The command itself knows which hours are quiet ([update]).
[Unit]
Description=Hai Long edge box: when offered updates are looked for

[Timer]
# after its start, and so after the machine's: what a power cut left in an update is judged then
OnActiveSec=3min
OnCalendar=hourly
RandomizedDelaySec=5min
"""


_TASKS_OF_A_COUNTER = 8
"""Threads that read a counter's camera and microphone, twice: the old ones may hang while a source is opened anew."""
_MIB_OF_A_COUNTER = 48
"""Memory that a further counter may take: decoders' pictures, most of it."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a box's configuration its unit depends on. `peers`: hosts that it talks to; `served`: addresses of its
    own that others reach. `counters`: how many it serves, for threads and memory."""

    credential: bool
    camera_device: bool
    microphone_device: bool
    words: bool
    peers: tuple[str, ...]
    served: tuple[str, ...]
    counters: int = 1

    @classmethod
    def of(cls, config: EdgeConfig) -> Needs:
        """Those of a configuration."""
        from pipeline.privacy.policy import AtRest

        cameras = [counter.camera.stream for counter in config.counters]
        sounds = [str(counter.microphone.source) for counter in config.counters]
        addresses = [config.server.address, config.server.enrolment_address(), *map(str, cameras), *sounds]
        peers = {urlsplit(address).hostname for address in addresses if "://" in address}
        if config.queue.reached is not None:
            peers.add(config.queue.reached.host)
        hosts = [*config.tablet_hosts, *([config.queue.host] if config.queue.port is not None else [])]
        return cls(
            credential=config.privacy.at_rest is AtRest.CREDENTIAL,
            camera_device=any(isinstance(camera, int) for camera in cameras),
            microphone_device=any(
                sound != "none" and "://" not in sound and not Path(sound).exists() for sound in sounds
            ),
            words=config.models.asr,
            peers=tuple(sorted(host for host in peers if host and not _is_loopback(host))),
            served=tuple(sorted({host for host in hosts if not _is_loopback(host)})),
            counters=len(config.counters),
        )  # fmt: skip

    def digest(self) -> str:
        """Of these needs, for the unit (16 hex digits); of one counter as before there were more."""
        needs = astuple(self) if self.counters > 1 else astuple(self)[:-1]
        return hashlib.sha256(repr(needs).encode()).hexdigest()[:16]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_fitting_unit(config: EdgeConfig) -> None:
    """Refuse a configuration for which the unit that this process runs under was not written. Outside a unit nothing
    is refused. Raises `ConfigError`."""
    written_for = os.environ.get(NEEDS_VARIABLE)
    if written_for and written_for != Needs.of(config).digest():
        raise ConfigError(
            Message(
                "The configuration has changed in something that the system allows this service by name "
                "(a device, an address, the month's key, memory)."
            ),
            Message("Run as root: hailong edge apply"),
        )


def written_for(unit: str) -> str:
    """The digest of the needs that a unit's text was written for; empty where it names none."""
    found = re.search(rf"^Environment={NEEDS_VARIABLE}=([0-9a-f]{{16}})$", unit, re.MULTILINE)
    return found[1] if found else ""


def unit_text(config: EdgeConfig) -> str:
    """The unit for a box. Only what it names by an address, the tablet's network and the machine itself are in the
    allow-list of addresses. Where it names its server or camera by a name there is no such list: addresses behind names
    change, and the list would silence the box."""
    from pipeline.privacy.sealing import CREDENTIAL_NAME

    needs = Needs.of(config)
    more = _MIB_OF_A_COUNTER * (needs.counters - 1)
    devices = ["DeviceAllow=char-video4linux rw"] * needs.camera_device
    devices += ["DeviceAllow=char-alsa rw"] * needs.microphone_device
    allowed = allowed_addresses(needs)
    if allowed is None:
        addresses = "# No allow-list of addresses: something is named by a name, or by a network that is not up."
    else:
        addresses = "\n".join(["IPAddressDeny=any", *(f"IPAddressAllow={each}" for each in ("localhost", *allowed))])
    return UNIT.format(
        timer=" hailong-edge-update.timer" if config.update.offered else "",
        needs_variable=NEEDS_VARIABLE,
        memory="".join(f"Environment={name}={value}\n" for name, value in MEMORY_ENVIRONMENT.items()),
        needs=needs.digest(),
        memory_high=f"{(1500 if needs.words else 900) + more}M",
        memory_max="2G" if needs.words and not more else f"{(2048 if needs.words else 1200) + more}M",
        tasks=128 + _TASKS_OF_A_COUNTER * (needs.counters - 1),
        private_users="no" if devices else "yes",  # a private user name space hides the groups of the devices
        credential=_CREDENTIAL.format(name=CREDENTIAL_NAME) if needs.credential else "",
        devices="\n".join(devices) or "# no device: sources are files or streams",
        addresses=addresses,
    )


def allowed_addresses(needs: Needs) -> list[str] | None:
    """Addresses and networks that a box exchanges packets with; None where they cannot be told by numbers."""
    found: set[str] = set()
    for host in needs.peers:
        try:
            found.add(str(ip_address(host)))
        except ValueError:
            return None
    for host in needs.served:
        networks = _networks_of(host)
        if not networks:
            return None
        found.update(networks)
    return sorted(found)


def _networks_of(host: str) -> list[str]:
    """Networks of this machine's interfaces with that address; of all of them for an unspecified one."""
    import psutil

    try:
        wanted = ip_address(host)
    except ValueError:
        return []
    family = socket.AF_INET if wanted.version == 4 else socket.AF_INET6
    found = []
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family != family or not entry.netmask:
                continue
            own = ip_address(entry.address.partition("%")[0])
            if own == wanted or (wanted.is_unspecified and not own.is_loopback):
                bits = bin(int(ip_address(entry.netmask))).count("1")
                found.append(str(ip_interface(f"{own}/{bits}").network))
    return sorted(set(found))
