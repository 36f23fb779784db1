"""What Kafka reads at its start."""

from collections.abc import Mapping
from pathlib import Path

from worker.embedded.ports import LOOPBACK

COPIES_MAX = 3

LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRef.file.ref=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={log}
appender.file.filePattern={log}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{{ISO8601}} %-5p %c{{1}}: %m%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
"""


def write_logging(file: Path, log: Path) -> None:
    """Warnings and worse, at most three files of 10 MB."""
    file.write_text(LOGGING.format(log=log))


def properties(
    *, node_id: int, port: int, controller_port: int, voters: Mapping[int, int], data: Path
) -> dict[str, str]:
    """Defaults of production where they do not need a second broker."""
    copies = min(len(voters), COPIES_MAX)
    in_sync = max(copies - 1, 1)
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(f"{node}@{LOOPBACK}:{at}" for node, at in sorted(voters.items())),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        "group.initial.rebalance.delay.ms": "0",
        # a killed broker is let back in only when its former self is declared dead: 9 s by default
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "250",
    }
