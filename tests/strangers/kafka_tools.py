"""Kafka's own console tools, under the names that they have in Apache's archive."""

import hashlib
import shlex
import tempfile
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from worker.embedded import jars, java
from worker.embedded.server import silent

TIMEOUT_SECONDS = 60
VERSION = "4.3.1"
"""Maven Central has no kafka-tools of the embedded Kafka's own version."""
TOOLS = {
    "kafka-clients": "52501b7b47510c66f898871adaf6d2968ab7246561d44ced43643a8a587f0b36",
    "kafka-server-common": "d7c719f749579a399011f0df7414de8a78f10f074a6122caa550fdb141351575",
    "kafka-tools": "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c",
}
"""Their artifacts, with the SHA-256 of the files."""
CLASSES = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
}
LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = [%d] %p %m (%c)%n
"""
"""As the archive's own `tools-log4j2.yaml` has it. Without it errors go where the records go."""
OF_THE_MACHINE = [
    "-Xmx256m",
    "-XX:AOTMode=off",
    "-XX:+DisplayVMOutputToStderr",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
]
"""Java has learnt how Kafka starts, with another class path than this one; it would say so among the records."""


def install(programs: Path) -> None:
    """Put the tools into a folder. What they print is records alone; all else goes to stderr."""
    logging = programs / "tools-log4j2.properties"
    logging.write_text(LOGGING)
    options = [*OF_THE_MACHINE, f"-Dlog4j2.configurationFile={logging}"]
    class_path = [*(_fetched(artifact, digest) for artifact, digest in TOOLS.items()), *jars.ensure(silent)]
    for name, main in CLASSES.items():
        tool = programs / name
        tool.write_text(f'#!/bin/sh\nexec {shlex.join(java.command(class_path, options, main))} "$@"\n')
        tool.chmod(0o755)


def _fetched(artifact: str, digest: str) -> Path:
    """Where it is; downloaded once, as the embedded Kafka is."""
    cache = jars.cache().parent / f"kafka-tools-{VERSION}"
    kept = cache / f"{artifact}-{VERSION}.jar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as place:
            mirrors: dict[str, str] = GlobalSettings.load().repositories
            context = MavenContext(repo_cache=Path(place), remote_repos=mirrors or None, timeout=TIMEOUT_SECONDS)
            found: Path = context.project("org.apache.kafka", artifact).at_version(VERSION).artifact().resolve()
            found.replace(kept)
    with kept.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest, f"{kept} is not the pinned one"
    return kept
