"""A certificate of the assistant's own, for this run: where its pages are on the counter's network, nobody on the way
reads a camera's password or sees the picture. The key is in memory alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def own_certificate(host: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Paths of a certificate for an address and of its key (in memory, for this process alone, while it lasts), and the
    first half of its SHA-256 as browsers show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hai Long")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    digest = certificate.fingerprint(hashes.SHA256())[:16]
    files = [_in_memory(content) for content in (certificate.public_bytes(serialization.Encoding.PEM), pem)]
    try:
        certificate_path, key_path = (f"/proc/self/fd/{each}" for each in files)
        yield (certificate_path, key_path), ":".join(f"{byte:02X}" for byte in digest)
    finally:
        for each in files:
            os.close(each)


def _in_memory(content: bytes) -> int:
    file = os.memfd_create("assistant", os.MFD_CLOEXEC)
    os.write(file, content)
    return file
