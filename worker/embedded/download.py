import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from worker.embedded.errors import EmbeddedError
from worker.embedded.jars import KAFKA_VERSION, Jar

DOWNLOADS_AT_ONCE = 4
TIMEOUT_SECONDS = 60


def fetch(missing: Sequence[Jar], into: Path, on_progress: Callable[[str], None]) -> None:
    """Download the jars, from the Maven repositories of the user's jgo configuration if it names any.

    Raises EmbeddedError if one cannot be had, or is not the one that was pinned.
    """
    into.mkdir(parents=True, exist_ok=True)
    mirrors: dict[str, str] = GlobalSettings.load().repositories
    # in a place of its own, then renamed: jgo takes half a file, left by an interruption, for a whole one
    with (
        tempfile.TemporaryDirectory(dir=into, prefix="download-") as place,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        context = MavenContext(repo_cache=Path(place), remote_repos=mirrors or None, timeout=TIMEOUT_SECONDS)
        downloads = [pool.submit(_fetch_one, jar, context) for jar in missing]
        try:
            for n, download in enumerate(as_completed(downloads), start=1):
                download.result()
                on_progress(f"downloading Kafka {KAFKA_VERSION}: {n} of {len(missing)} jars")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, context: MavenContext) -> None:
    try:
        path: Path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise EmbeddedError(
            f"{jar.artifact} {jar.version} could not be downloaded ({type(error).__name__}: {error})",
            remedy="Check the network, or name a Maven repository within reach in jgo's configuration; then try again",
        ) from error
    if not jar.is_intact(path):
        raise EmbeddedError(
            f"{jar.artifact} {jar.version} was downloaded, but its SHA-256 is not the pinned one",
            remedy="Do not use it; find out what the Maven repository, or something on the way to it, has changed",
        )
    path.replace(jar.path)
