"""The systemd unit of a box: no new privileges, a read-only system, an allow-list of addresses, limits of memory."""

from __future__ import annotations

import re
import socket
from pathlib import Path

JOURNAL = """# The box's own journal rotates by size and by age.
[Journal]
SystemMaxUse=50M
MaxRetentionSec=30day
Compress=yes
"""

_CREDENTIAL = "LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}\n"
_HOST = re.compile(r"[a-z]+://(?:[^@/]*@)?\[?([A-Za-z0-9.:-]+?)\]?(?::\d+)?(?:/|$)")

UNIT = """# Written by `hailong edge install`; see docs/hardening.md.
[Unit]
Description=Hai Long edge box
Wants=network-online.target time-sync.target
After=network-online.target time-sync.target

[Service]
Type=exec
ExecStart=/opt/hailong/current/venv/bin/hailong edge run --config /etc/hailong/edge.toml
ExecReload=/bin/kill -HUP $MAINPID
Environment=HAILONG_CACHE=/opt/hailong/current/cache PYTHONDONTWRITEBYTECODE=1
# Small objects come from the C library's heap too, where freed memory is overwritten (edge/perception/scrub.py).
Environment=PYTHONMALLOC=malloc
User=hailong
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
TasksMax=128
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateUsers={private_users}
ProtectProc=invisible
ProcSubset=pid
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
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX{netlink}

DevicePolicy=closed
{devices}
IPAddressDeny=any
IPAddressAllow=localhost
{addresses}
[Install]
WantedBy=multi-user.target
"""


def addresses_of(host: str) -> list[str]:
    """The numeric addresses of a host name, or itself where it is one already or cannot be resolved now."""
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})
    except OSError:
        return []


def unit_text(config: Path) -> tuple[str, str]:
    """Unit and journal configuration for the box that `config` describes.

    Only the server, a network camera and the machine itself are in the allow-list of addresses; a tablet on another
    machine needs its network in `IPAddressAllow`
    by a drop-in. Raises `ConfigError` for a configuration that cannot be used."""
    from edge.config import load_config
    from pipeline.privacy.policy import AtRest
    from pipeline.privacy.sealing import CREDENTIAL_NAME

    found = load_config(config)
    hosts = [found.server.address, str(found.camera.source)]
    names = {
        match.group(1)
        for text in hosts
        if (match := re.match(r"[a-z]+://(?:[^@/]*@)?\[?([A-Za-z0-9.:-]+?)\]?(?::\d+)?(?:/|$)", text))
    }
    allowed = sorted({address for name in names for address in addresses_of(name)} - {"127.0.0.1", "::1"})
    camera = isinstance(found.camera.source, int)
    microphone = found.microphone.source != "none" and not Path(str(found.microphone.source)).exists()
    devices = ["DeviceAllow=char-video4linux rw"] * camera + ["DeviceAllow=char-alsa rw"] * microphone
    unit = UNIT.format(
        memory_high="1500M" if found.models.asr else "900M",
        memory_max="2G" if found.models.asr else "1200M",
        private_users="no" if devices else "yes",  # a private user name space hides the groups of the devices
        netlink="",
        credential=_CREDENTIAL.format(name=CREDENTIAL_NAME) if found.privacy.at_rest is AtRest.CREDENTIAL else "",
        devices="\n".join(devices) or "# no device: sources are files or streams",
        addresses="".join(f"IPAddressAllow={address}\n" for address in allowed),
    )
    return unit, JOURNAL
