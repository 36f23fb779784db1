import tempfile
from collections.abc import Callable
from pathlib import Path

from worker.embedded import jars
from worker.embedded.java import ahead_of_time_cache
from worker.embedded.kafka import Kafka
from worker.embedded.server import silent

TRAINING_SECONDS_MAX = 120.0


def download(on_progress: Callable[[str], None] = silent) -> None:
    """Fetch what the embedded servers need, ahead of time. Raises EmbeddedError.

    Kafka is then started once so that Java remembers how: every later start takes half the time.
    """
    jars.ensure(on_progress)
    if not ahead_of_time_cache().exists():
        on_progress("letting Java learn how Kafka starts")
        with tempfile.TemporaryDirectory(dir=jars.cache(), prefix="training-") as directory:
            _train(Path(directory))


def _train(directory: Path) -> None:
    learnt = directory / "start.aot"
    kafka = Kafka(
        directory / "kafka",
        java_options=[f"-XX:AOTCacheOutput={learnt}"],
        stop_seconds=TRAINING_SECONDS_MAX,  # Java writes the cache down at its end
    )
    kafka.start()
    kafka.stop()
    if learnt.exists():
        for outdated in jars.cache().glob("start-*.aot"):
            outdated.unlink()
        learnt.replace(ahead_of_time_cache())
