"""Three nodes of Apache Kafka, each broker and controller: every topic in three copies, two of which must have a write.

Its nodes are killed, paused and started again one by one; the addresses of clients name all of them.
"""

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from tests.system.quorum import active_controller
from worker.embedded import EmbeddedError, Kafka
from worker.embedded.ports import remembered

NODES = (1, 2, 3)
HEAP_MEBIBYTES_MAX = 384
READY_SECONDS_MAX = 90.0
FEW_PARTITIONS = {"offsets.topic.num.partitions": "3", "transaction.state.log.num.partitions": "3"}
"""Fifty each by default: with three copies that is what a failover would take its time for."""


class Cluster:
    """Nodes by their ids. Not for several threads at once."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        voters = {node: remembered(directory / f"controller-port-{node}") for node in NODES}
        name = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        self.nodes = {
            node: Kafka(
                directory / f"kafka-{node}",
                node_id=node,
                controller_port=voters[node],
                voters=voters,
                cluster=name,
                settings=FEW_PARTITIONS | dict(settings or {}),
                heap_mebibytes_max=HEAP_MEBIBYTES_MAX,
            )
            for node in NODES
        }

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all nodes, running or not."""
        return ",".join(kafka.bootstrap_servers for kafka in self.nodes.values())

    def start(self) -> None:
        """Start the nodes that do not run, and wait until all answer. Raises EmbeddedError."""
        for kafka in self.nodes.values():
            if not kafka.running:
                kafka.launch()
        for kafka in self.nodes.values():
            kafka.wait_ready(READY_SECONDS_MAX)

    def stop(self) -> None:
        """Kill all: what they know is of no use to anybody."""
        for kafka in self.nodes.values():
            kafka.kill()

    def controller(self, seconds: float = 30) -> int:
        """The node whose controller leads the others."""
        deadline = time.monotonic() + seconds
        while True:
            for kafka in self.nodes.values():
                if kafka.running and (leader := active_controller(kafka.bootstrap_servers)) in self.nodes:
                    return leader
            if time.monotonic() > deadline:
                raise EmbeddedError("the cluster has no controller", remedy="Look at the logs of its nodes")
            time.sleep(0.1)


@contextmanager
def cluster(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A running cluster, gone when the block ends."""
    made = Cluster(directory, settings)
    with ExitStack() as stack:
        stack.callback(made.stop)
        made.start()
        yield made
