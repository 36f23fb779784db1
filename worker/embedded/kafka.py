import os
import shutil
import socket
import ssl
import struct
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from worker.embedded import jars, java, kafka_files
from worker.embedded.kept import Program
from worker.embedded.ports import LOOPBACK, remembered
from worker.embedded.server import Server, silent

API_VERSIONS_REQUEST = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # length, key, version, correlation, no client id
ANSWER_SECONDS_MAX = 0.5  # short: a connection made while Kafka is half up may never be answered
HANDSHAKE_SECONDS_MAX = 5.0  # longer: a cold Java takes its time for the first

_ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # only whether there is an answer matters here, not whose
_ANYBODY.check_hostname = False
_ANYBODY.verify_mode = ssl.CERT_NONE


class Kafka(Server):
    """One node of Apache Kafka, broker and controller in one (KRaft).

    `voters` names the controllers of a cluster, node id to controller port, and `cluster` its id; by default the node
    is a cluster of its own. `settings` go over those chosen here, `environment` over that of its process. `tls`: they
    have TLS spoken at the port. `users`, with their passwords, may come by SCRAM-SHA-512.
    """

    name = "Kafka"

    def __init__(  # noqa: PLR0913  what makes a node differ from its neighbour
        self,
        directory: Path,
        *,
        port: int | None = None,
        node_id: int = 1,
        controller_port: int | None = None,
        voters: Mapping[int, int] | None = None,
        cluster: str | None = None,
        settings: Mapping[str, str] | None = None,
        tls: bool = False,
        users: Mapping[str, str] | None = None,
        heap_mebibytes_max: int = 768,
        java_options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stop_seconds: float = 15.0,
        on_progress: Callable[[str], None] = silent,
    ) -> None:
        super().__init__(directory, port=port, on_progress=on_progress)
        self._node_id = node_id
        self._controller_port = controller_port
        self._voters = voters
        self._cluster = cluster or urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        self._settings = dict(settings or {})
        self._tls = tls
        self._users = dict(users or {})
        self._heap_mebibytes_max = heap_mebibytes_max
        self._java_options = list(java_options)
        self._environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **(environment or {})}
        self._stop_seconds = stop_seconds
        self._class_path: list[Path] = []

    @property
    def bootstrap_servers(self) -> str:
        """As `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        self._class_path = jars.ensure(self._on_progress)
        if self._controller_port is None:
            self._controller_port = remembered(self.directory / "controller-port")
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir()
        kafka_files.write_logging(self._logging, self.log)
        if not self.data.exists():
            self._format()
        self._write_properties(self.data)

    def _format(self) -> None:
        # aside, then renamed: a data directory is either whole or not there
        laid = self.data.with_suffix(".new")
        shutil.rmtree(laid, ignore_errors=True)
        self._write_properties(laid)
        said = [f"--cluster-id={self._cluster}", f"--config={self._properties}"]  # an id may begin with a dash
        said += [
            f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in self._users.items()
        ]
        self._complete(self._java([], "kafka.tools.StorageTool", "format", *said), "formatting the data directory")
        laid.rename(self.data)

    def _program(self) -> Program:
        options = [f"-Xmx{self._heap_mebibytes_max}m", *self._java_options]
        return self._java(options, "kafka.Kafka", str(self._properties))

    def _answers(self) -> bool:
        """Kafka answers requests once the broker has joined its controller and recovered its logs."""
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(
                    socket.create_connection((LOOPBACK, self.port), timeout=ANSWER_SECONDS_MAX)
                )
                if self._tls:
                    connection.settimeout(HANDSHAKE_SECONDS_MAX)
                    connection = stack.enter_context(_ANYBODY.wrap_socket(connection))
                connection.sendall(API_VERSIONS_REQUEST)
                return len(connection.recv(10)) > 0
        except OSError:
            return False

    def _java(self, options: list[str], *arguments: str) -> Program:
        options = [f"-Djava.io.tmpdir={self._temporary}", f"-Dlog4j2.configurationFile={self._logging}", *options]
        command = java.command(self._class_path, options, *arguments)
        return Program(command, self._environment, stop_seconds=self._stop_seconds)

    def _write_properties(self, data: Path) -> None:
        assert self._controller_port  # noqa: S101  set in _prepare
        chosen = kafka_files.properties(
            node_id=self._node_id,
            port=self.port,
            controller_port=self._controller_port,
            voters=self._voters or {self._node_id: self._controller_port},
            data=data,
        )
        lines = [f"{key}={value}\n" for key, value in (chosen | self._settings).items()]
        self._properties.write_text("".join(lines))

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.directory / "log4j2.properties"

    @property
    def _temporary(self) -> Path:
        return self.directory / "tmp"
