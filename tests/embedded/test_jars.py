from pathlib import Path

import pytest

from worker.embedded import EmbeddedError, jars
from worker.embedded.server import silent


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


@pytest.fixture
def downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own with every jar in it."""
    there = jars.ensure(silent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jars.cache().mkdir(parents=True)
    for jar in there:
        (jars.cache() / jar.name).symlink_to(jar)
    return jars.cache()


def test_once_downloaded_no_network_is_needed(downloaded: Path, no_network: None) -> None:
    assert all(path.parent == downloaded for path in jars.ensure(silent))


def test_a_jar_that_is_not_the_pinned_one_is_never_run(downloaded: Path, no_network: None) -> None:
    tampered = next(downloaded.glob("kafka-clients-*.jar"))
    tampered.unlink()
    tampered.write_bytes(b"something else")

    with pytest.raises(EmbeddedError, match=r"kafka-clients 4\.4\.0 could not be downloaded"):
        jars.ensure(silent)


def test_every_jar_is_pinned_once_by_version_and_content() -> None:
    pinned = jars.pinned()

    assert len({(jar.group, jar.artifact) for jar in pinned}) == len(pinned)
    assert {jar.version for jar in pinned if jar.group == "org.apache.kafka"} == {jars.KAFKA_VERSION}
    assert all(len(jar.sha256) == 64 for jar in pinned)
