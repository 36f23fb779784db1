"""Reaching the brokers as the worker does: by its settings, from the same environment variables."""

import os
import ssl
from pathlib import Path
from typing import Any


def servers() -> dict[str, Any]:
    """What every client needs. Files are read now: who makes a new client takes up what has changed in them."""
    protocol = setting("SECURITY_PROTOCOL", "plaintext").upper()
    reached: dict[str, Any] = {
        "bootstrap_servers": setting("BOOTSTRAP_SERVERS", "localhost:9092"),
        "security_protocol": protocol,
    }
    if protocol in {"SSL", "SASL_SSL"}:
        reached["ssl_context"] = tls_context()
    if protocol in {"SASL_SSL", "SASL_PLAINTEXT"}:
        reached |= {
            "sasl_mechanism": setting("SASL_MECHANISM", "SCRAM-SHA-512"),
            "sasl_plain_username": setting("USERNAME"),
            "sasl_plain_password": secret("PASSWORD"),
        }
    return reached


def setting(name: str, otherwise: str = "") -> str:
    """One of the worker's settings for Kafka."""
    return os.environ.get(f"BILLING_KAFKA__{name}", otherwise)


def secret(name: str) -> str:
    """One that may be in a file."""
    if file := setting(f"{name}_FILE"):
        return Path(file).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    return setting(name)


def tls_context() -> ssl.SSLContext:
    """Brokers are verified, by the authorities of the system unless a file has others; a certificate may be shown."""
    context = ssl.create_default_context(cafile=setting("CA_FILE") or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate := setting("CERTIFICATE_FILE"):
        context.load_cert_chain(certificate, setting("KEY_FILE"), password=lambda: secret("KEY_PASSWORD"))
    return context
