"""What the sections that reach over a network have in common: secrets in files, certificates, and what is loopback."""

import ssl
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path

from pydantic import SecretStr

SECRET_BYTES_MAX = 64 * 1024


class UnfitError(ValueError):
    """Settings that do not go together, a line each; every line begins with the setting's name."""


class SecretFileError(OSError):
    """A file holds no secret. Like every other OSError it may be gone when the file is read again."""


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine: loopback, or the path of a Unix socket."""
    bare = host.strip().strip("[]")
    if not bare or bare.startswith(("/", "@")) or bare.lower() == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def read_secret(file: Path) -> str:
    """What a file holds, without the newline at its end. Raises OSError, which does not tell what is in it."""
    with file.open("rb") as opened:
        held = opened.read(SECRET_BYTES_MAX + 1)
    if len(held) > SECRET_BYTES_MAX:
        raise SecretFileError("holds no secret: it is too large to be a secret")
    try:
        text = held.decode()
    except UnicodeDecodeError:
        raise SecretFileError("holds no secret: it is not text") from None
    if not (secret := text.removesuffix("\n").removesuffix("\r")):
        raise SecretFileError("holds no secret: it is empty")
    return secret


def secret_of(secret: SecretStr | None, file: Path | None) -> str | None:
    """A secret that is given either way, read anew from its file each time."""
    if file is not None:
        return read_secret(file)
    return secret.get_secret_value() if secret is not None else None


def tls_context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None, key_password: str | None
) -> ssl.SSLContext:
    """TLS 1.2 or newer to a server whose certificate and name are verified.

    Without a file of authorities those of the system count. Raises OSError (SSLError is one) for files that do not do.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate_file is not None:
        # Without a password OpenSSL would ask whoever sits at the terminal for one.
        context.load_cert_chain(certificate_file, key_file, password=lambda: key_password or "")
    return context


def unfit_files(prefix: str, files: dict[str, Path | None]) -> Iterator[str]:
    """Which of the files, by their settings, cannot be read. Where is not told: it may be the secret itself."""
    for name, file in files.items():
        if file is None:
            continue
        try:
            with file.open("rb") as opened:
                opened.read(1)
        except OSError as error:
            yield f"{prefix}{name}: the file cannot be read: {error.strerror}"


def unfit_secrets(prefix: str, secrets: dict[str, Path | None]) -> Iterator[str]:
    """Which of the files that can be read hold no secret."""
    for name, file in secrets.items():
        if file is None:
            continue
        try:
            read_secret(file)
        except SecretFileError as error:
            yield f"{prefix}{name}: the file {error}"
        except OSError:
            continue  # told already


def unfit_pair(prefix: str, certificate_file: Path | None, key_file: Path | None) -> Iterator[str]:
    """What is missing of a certificate and its key."""
    if certificate_file is not None and key_file is None:
        yield f"{prefix}KEY_FILE: is missing, and a certificate is of no use without its key"
    if key_file is not None and certificate_file is None:
        yield f"{prefix}CERTIFICATE_FILE: is missing, and a key is of no use without its certificate"


def unfit_certificates(
    prefix: str,
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    key_password: str | None,
) -> Iterator[str]:
    """What is wrong with certificates and key, once all files can be read."""
    if ca_file is not None:
        try:
            tls_context(ca_file, None, None, None)
        except OSError:
            yield f"{prefix}CA_FILE: the file holds no certificate in PEM"
    if certificate_file is not None:
        try:
            tls_context(None, certificate_file, key_file, key_password)
        except OSError as error:
            reason = str(getattr(error, "reason", None) or "").lower().replace("_", " ")
            yield (
                f"{prefix}CERTIFICATE_FILE: it and {prefix}KEY_FILE must be a certificate and its key in PEM, the key "
                f"not encrypted or with its password" + (f" ({reason})" if reason else "")
            )


def refuse(problems: Iterable[str]) -> None:
    """Raise UnfitError unless there are none."""
    if found := list(problems):
        raise UnfitError("\n".join(found))
