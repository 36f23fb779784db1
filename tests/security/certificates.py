"""Certificates made for one run of the tests."""

import os
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, each in a file, and both in one for Kafka."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates for this run alone."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._signer = trustme.CA()
        self.file = directory / "authority.pem"
        self._signer.cert_pem.write_to_path(self.file)

    def sign(self, name: str, *hosts: str, password: str | None = None) -> Identity:
        """A certificate for a name and some hosts; the key is encrypted where there is a password for it."""
        issued = self._signer.issue_cert(*(hosts or (f"{name}.example",)), common_name=name)
        encryption: KeySerializationEncryption = NoEncryption()
        if password is not None:
            encryption = BestAvailableEncryption(password.encode())
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # Kafka reads no other form
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        files = {kind: self._directory / f"{name}.{kind}" for kind in ("crt", "key", "pem")}
        for kind, content in (("crt", chain), ("key", pem), ("pem", pem + chain)):
            files[kind].touch(mode=0o644 if kind == "crt" else 0o600)
            files[kind].write_bytes(content)
        return Identity(files["crt"], files["key"], files["pem"])


def give_to(user: str, *files: Path) -> None:
    """Let a server read its key that does not run as root, where this process does."""
    if os.geteuid() == 0:
        import pwd  # noqa: PLC0415 - not everywhere

        account = pwd.getpwnam(user)
        for file in files:
            os.chown(file, account.pw_uid, account.pw_gid)
