"""The server's configuration: one TOML file, unknown keys refused, and the arguments that every server command shares.

The file is `server.toml` in the data folder; without it the defaults hold (SQLite beside it).
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from sqlalchemy import Engine

from pipeline.bad_values import words_of, words_of_toml
from pipeline.errors import ConfigError
from pipeline.keys import KEY_FILE_NAME, KeyPair, load_keys, new_keys, save_keys
from pipeline.language import Message
from server.store.tables.users import Role

CONFIG_NAME = "server.toml"
_DOOR = re.compile(r"tcp://(?:\*|\[[0-9a-fA-F:.]+\]|[\w.-]+):(\*|\d{1,5})", re.ASCII)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Raises `ValueError` for what is none, such as a host's name."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(Message("'{text}' is no address or network such as 10.0.0.0/24", text=text[:60])) from None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebConfig(_Section):
    """The pages and the HTTP interface."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    public_url: str = ""
    """The address under which citizens and staff reach the server, such as https://hailong.example.vn; for links."""
    secure_cookies: bool = True
    """Cookies go over HTTPS only. Browsers treat http://localhost as secure."""
    session_hours: int = Field(default=8, ge=1, le=72)
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses or networks of web servers before this one, whose X-Forwarded-For and X-Forwarded-Proto are believed:
    limits then count the client. From everybody else these headers are ignored."""

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, given: str) -> str:
        """Pages, cookies and links stand at the root: an address with a path could not work."""
        if not given:
            return given
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError(Message("is no address such as https://hailong.example.vn"))
        if parts.path not in ("", "/") or parts.fragment:
            raise ValueError(Message("has a path: the server stands at the root of a name of its own"))
        if parts.port is not None and not 0 < parts.port < 65_536:
            raise ValueError(Message("has a port that is none"))
        return given.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            if _network(text).prefixlen == 0:
                raise ValueError(Message("'{text}' is everybody: whoever asks could say any address", text=text))
        return given


class IngestConfig(_Section):
    """Where boxes connect (ZeroMQ with CURVE)."""

    address: str = "tcp://*:5870"
    enrol_address: str = "tcp://*:5871"
    """Where a box shows its one-time enrolment code; empty: enrolment is closed."""

    @field_validator("address", "enrol_address")
    @classmethod
    def _is_a_door(cls, given: str, info: ValidationInfo) -> str:
        if not given and info.field_name == "enrol_address":
            return given
        match = _DOOR.fullmatch(given)
        if match is None or (match[1] != "*" and not 0 < int(match[1]) < 65_536):
            raise ValueError(Message("is no address such as tcp://*:5870"))
        return given

    @model_validator(mode="after")
    def _are_two_doors(self) -> IngestConfig:
        if self.address == self.enrol_address and not self.address.endswith(":*"):
            raise ValueError(Message("address and enrol_address are the same"))
        return self


class MetricsConfig(_Section):
    """Figures for monitoring (Prometheus), on this machine alone."""

    port: int | None = Field(default=None, ge=0, le=65_535)
    """Unset: none are served."""


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class OidcConfig(_Section):
    """A provider of log-ins (OpenID Connect) beside the passwords; `server.auth.provider`."""

    issuer: str = ""
    """Its address, as it names itself, such as https://dangnhap.example.vn/realms/canbo; empty: there is none."""
    client_id: str = ""
    client_auth: Literal["basic", "post", "none"] = "basic"
    """How this server proves to it who asks: with the secret in `keys/oidc.secret`, or, `none`, by PKCE alone."""
    name: str = Field(default="", max_length=80)
    """What the button of the log-in page calls it; empty: its host."""
    province: str = ""
    """Code of the province whose staff it knows; empty: the only one."""
    accounts: Literal["linked", "made"] = "linked"
    """`linked`: a user links the own account once. `made`: whoever has a role gets an account at the first log-in."""
    scopes: tuple[str, ...] = ("openid", "profile")
    role_claim: str = "roles"
    """Where its claims name the roles; dots lead into a claim (`realm_access.roles`)."""
    roles: dict[str, Role] = {}
    """What it calls a role -> our role; the first that fits counts. What is not named here gives no access."""
    agency_claim: str = ""
    """Where its claims name the code of an agency reader's agency."""
    name_claim: str = "preferred_username"
    """Where the user name of an account that is made is taken from."""
    factor_amr: tuple[str, ...] = ()
    factor_acr: tuple[str, ...] = ()
    """Values of its claims `amr` and `acr` that stand for a second factor; none: ours is asked for."""
    linked_passwords: bool = False
    """Whether a linked account may also log in with its password: past the provider, and whom it has shut out."""
    clock_skew_s: int = Field(default=60, ge=0, le=300)
    ca_file: str = ""
    """Certificates (PEM) that its address is checked against; empty: the system's."""

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        if given:
            require_safe_address(given)
            if urlsplit(given).query:
                raise ValueError(Message("has a query"))
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> OidcConfig:
        if self.issuer and not (self.client_id and self.roles and "openid" in self.scopes):
            raise ValueError(Message("issuer needs client_id, [oidc.roles] and the scope openid"))
        return self

    @property
    def shown_name(self) -> str:
        """What people read for it; empty where there is none."""
        return self.name or (urlsplit(self.issuer).hostname or "" if self.issuer else "")


def require_safe_address(given: str) -> None:
    """Raises `ValueError` for what is neither an HTTPS address nor one of this machine."""
    parts = urlsplit(given)
    here = parts.scheme == "http" and parts.hostname in LOOPBACK
    if (parts.scheme != "https" and not here) or not parts.hostname or parts.username or parts.fragment:
        raise ValueError(Message("is no address such as https://dangnhap.example.vn"))


class MailConfig(_Section):
    """The mail server that takes what this server sends; without a host nothing goes out by mail."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """Certificates are checked. "none": in the clear, for a relay on this machine or behind the same wall."""
    ca_file: str = ""
    """Whose certificates hold; empty: those that the machine trusts."""
    sender: str = ""
    """The address that letters come from."""
    user: str = ""
    password_file: str = ""
    """A file whose first line is the password of `user`: this file is not the place for it."""

    @model_validator(mode="after")
    def _is_whole(self) -> MailConfig:
        if self.host and "@" not in self.sender:
            raise ValueError(Message("mail.sender is no address such as hailong@example.vn"))
        if self.user and not self.password_file:
            raise ValueError(Message("mail.user needs mail.password_file"))
        if self.user and self.security == "none":
            raise ValueError(Message("mail.user needs mail.security of starttls or tls: no password goes in the clear"))
        return self


class AlertsConfig(_Section):
    """What goes out when something needs somebody; where to stands in each province's settings."""

    inner_networks: tuple[str, ...] = ()
    """Networks of this house in which a webhook's receiver may stand. Without them a webhook reaches public addresses
    alone, by HTTPS, so that no page of this server is a way to the machines beside it."""

    @field_validator("inner_networks")
    @classmethod
    def _are_networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            _network(text)
        return given


class ServerConfig(_Section):
    """Everything that a server is told."""

    data_dir: Path
    store: str = ""
    """URL of the data base; empty: `store.sqlite` in the data folder."""
    demo: bool = False
    """Pages can be read without log-in, demo periods are taken, everything is labelled simulated."""
    web: WebConfig = WebConfig()
    ingest: IngestConfig = IngestConfig()
    metrics: MetricsConfig = MetricsConfig()
    oidc: OidcConfig = OidcConfig()

    @model_validator(mode="after")
    def _is_reached_by_its_provider(self) -> ServerConfig:
        if self.oidc.issuer and not self.web.public_url:
            raise ValueError(Message("[oidc] needs [web] public_url: people come back to it"))
        return self

    mail: MailConfig = MailConfig()
    alerts: AlertsConfig = AlertsConfig()

    @property
    def store_url(self) -> str:
        """The data base's URL or path."""
        return self.store or str(self.data_dir / "store.sqlite")

    @property
    def backup_mark(self) -> Path:
        """The file that says when the last backup was made (Unix seconds)."""
        return self.data_dir / "last_backup"

    @property
    def keys_dir(self) -> Path:
        """The folder of the server's CURVE and signing keys."""
        return self.data_dir / "keys"


def default_data_dir() -> Path:
    """`$HAILONG_SERVER_DIR`, or the user's data folder."""
    import platformdirs

    given = os.environ.get("HAILONG_SERVER_DIR")
    return Path(given) if given else Path(platformdirs.user_data_dir("hailong", False)) / "server"


def add_store_arguments(parser: argparse.ArgumentParser) -> None:
    """`--data-dir` and `--store`, the same for every server command."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder of the server: server.toml, keys, store (default: $HAILONG_SERVER_DIR or the user's data folder)",
    )
    parser.add_argument(
        "--store",
        default=None,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME; goes before server.toml",
    )


def add_province_argument(parser: argparse.ArgumentParser) -> None:
    """`--province`, for commands that work in one province."""
    parser.add_argument(
        "--province", default=None, metavar="CODE", help="code of the province (needed where there are several)"
    )


def load_config(args: argparse.Namespace) -> ServerConfig:
    """The configuration for a command's arguments. Raises `ConfigError` that names the key and the file."""
    data_dir: Path = args.data_dir or default_data_dir()
    path = data_dir / CONFIG_NAME
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                Message("{path} is not TOML: {error}.", path=path, error=words_of_toml(error)),
                Message("Correct the line named."),
            ) from None
        if "data_dir" in values:
            raise ConfigError(
                Message("{path}: data_dir is the folder of this file.", path=path), Message("Remove the key.")
            )
    if args.store:
        values["store"] = args.store
    return make_config(values | {"data_dir": data_dir}, str(path))


def make_config(values: dict[str, Any], origin: str) -> ServerConfig:
    """A configuration from plain values. Raises `ConfigError`."""
    try:
        return ServerConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            Message("{origin}: {where}: {first}.", origin=origin, where=where, first=words_of(first)),
            Message("Correct or remove this key."),
        ) from None


def require_workable(config: ServerConfig) -> None:
    """Refuse to start with settings of which each is right and that do not work together, or that name a file which
    cannot be read: nobody could log in, no letter would go out. Raises `ConfigError`."""
    public = urlsplit(config.web.public_url)
    if public.scheme == "http" and public.hostname not in LOOPBACK and config.web.secure_cookies:
        raise ConfigError(
            Message("Nobody could log in: {url} is not HTTPS, and cookies go over HTTPS alone.", url=public.geturl()),
            Message(
                "Put a web server with TLS before the pages and write https:// in [web] public_url; only to try things "
                "without TLS, say --insecure-cookies."
            ),
        )
    ports = {"[web] port": config.web.port, "[metrics] port": config.metrics.port or 0}
    for name in ("address", "enrol_address"):
        port = getattr(config.ingest, name).rpartition(":")[2]
        ports[f"[ingest] {name}"] = int(port) if port.isdigit() else 0
    for name, port in ports.items():
        others = [other for other, taken in ports.items() if other != name and taken == port]
        if port and others:
            raise ConfigError(
                Message("{name} and {other} are both port {port}.", name=name, other=others[0], port=port),
                Message("Change one of them."),
            )
    for name, file in (
        ("[mail] password_file", config.mail.password_file),
        ("[mail] ca_file", config.mail.ca_file),
        ("[oidc] ca_file", config.oidc.ca_file),
    ):
        if file and not (Path(file).is_file() and os.access(file, os.R_OK)):
            raise ConfigError(
                Message("{name} names {path}, which this server cannot read.", name=name, path=file),
                Message("Write the path of the file, and let the server's user read it."),
            )


def own_folder(path: Path) -> None:
    """Make the server's folder, and keep others out of it (0700): store, keys and secrets lie there."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.stat().st_uid == os.getuid():
        path.chmod(0o700)


def own_keys(config: ServerConfig) -> KeyPair:
    """The server's keys, made where there are none yet."""
    path = config.keys_dir / KEY_FILE_NAME
    if not path.exists():
        save_keys(new_keys("server"), config.keys_dir)
    return load_keys(path, "server")


def keys_if_any(config: ServerConfig) -> KeyPair | None:
    """The server's keys, None where this machine has none. Raises `KeyFileError` for some that cannot be used."""
    path = config.keys_dir / KEY_FILE_NAME
    return load_keys(path, "server") if path.exists() else None


def open_store(config: ServerConfig) -> Engine:
    """An engine on the configured store, checked to have this program's schema. Raises `StoreError`."""
    from pipeline.errors import StoreError
    from server.store.engine import connect
    from server.store.upgrade import require_current

    engine = connect(config.store_url)
    try:
        require_current(engine)
    except StoreError:
        engine.dispose()
        raise
    return engine
