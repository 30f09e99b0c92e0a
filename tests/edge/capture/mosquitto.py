"""A real broker for one test: Debian's Mosquitto on a free port, with accounts and, if wanted, TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.ports import free_port

PASSWORD = "mật khẩu của quầy"
ACCOUNTS = {"box": PASSWORD, "queue": "of-the-queue-system"}
RIGHTS = "user box\ntopic read hall/#\nuser queue\ntopic write hall/#\n"


def program(name: str) -> str | None:
    """Its path; Debian keeps the broker where a user's path does not lead."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


class Broker:
    """`certificate`: certificate and key, for TLS."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self.folder, self.port = folder, 0
        self._certificate = certificate
        self._process: subprocess.Popen[bytes] | None = None
        maker, passwords = program("mosquitto_passwd"), folder / "passwords"
        assert maker is not None
        passwords.touch(0o600)
        for user, password in ACCOUNTS.items():
            subprocess.run([maker, "-b", str(passwords), user, password], check=True, capture_output=True)
        (folder / "rights").write_text(RIGHTS)
        (folder / "rights").chmod(0o600)

    def start(self) -> None:
        """Serve; at the port of before, where there was one."""
        for _ in range(5):  # another program may take the port between
            port = self.port or free_port()
            if self._serves(port):
                self.port = port
                return
        raise RuntimeError((self.folder / "said").read_text("utf-8", "replace")[-2_000:])

    def _serves(self, port: int) -> bool:
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {self.folder / 'passwords'}",
            f"acl_file {self.folder / 'rights'}",
            "user root",
            "persistence false",
            "log_type all",
        ]
        if self._certificate is not None:
            lines[1:1] = [f"certfile {self._certificate[0]}", f"keyfile {self._certificate[1]}"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        broker = program("mosquitto")
        assert broker is not None
        with (self.folder / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [broker, "-c", str(self.folder / "mosquitto.conf")], stdout=said, stderr=said, stdin=subprocess.DEVNULL
            )
        end_s = time.monotonic() + 30
        while time.monotonic() < end_s and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self._process.poll() is None
        self.stop()
        return False

    def stop(self) -> None:
        """At once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
