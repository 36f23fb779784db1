"""A broker of a test module's own, which may be killed, and to which workers may be sent through a relay."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.cluster import FEW_PARTITIONS
from tests.system.relay import LOOPBACK, Relay, relay
from worker.embedded import Kafka
from worker.embedded.ports import remembered

HEAP_MEBIBYTES_MAX = 512


@dataclass(frozen=True)
class Broker:
    """Tests talk to it directly; `relay` is the address that it gives to clients which come through the relay."""

    kafka: Kafka
    relay: Relay

    @property
    def through_relay(self) -> dict[str, str]:
        """The setting that sends a worker through the relay."""
        return {"KAFKA__BOOTSTRAP_SERVERS": self.relay.address}

    def mend(self) -> None:
        """Undo what a test did to it: the process runs, the relay forwards at once."""
        self.relay.delay(0)
        self.relay.thaw()
        self.kafka.resume()
        if not self.kafka.running:
            self.kafka.start()


@contextmanager
def own_broker(
    directory: Path, settings: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Broker]:
    """One node with two listeners: its own, for tests and for itself, and one that is reached through the relay.

    A broker asks its transaction coordinator, which it is itself, at the address of its own listener: through the
    relay a fault would strike inside the broker too.
    """
    directory.mkdir(parents=True, exist_ok=True)
    own, relayed, controller = (remembered(directory / f"port-{name}") for name in ("own", "relayed", "controller"))
    with relay(f"{LOOPBACK}:{relayed}") as between, ExitStack() as stack:
        kafka = Kafka(
            directory,
            port=own,
            controller_port=controller,
            settings={
                "listeners": f"PLAINTEXT://{LOOPBACK}:{own},RELAYED://{LOOPBACK}:{relayed},"
                f"CONTROLLER://{LOOPBACK}:{controller}",
                "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{own},RELAYED://{between.address}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT",
                **FEW_PARTITIONS,
                **(settings or {}),
            },
            environment=environment,
            heap_mebibytes_max=HEAP_MEBIBYTES_MAX,
        )
        stack.callback(kafka.kill)
        kafka.start()
        between.let()
        yield Broker(kafka, between)
