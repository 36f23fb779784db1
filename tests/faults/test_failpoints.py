"""The failpoints themselves: off unless armed, each on somebody's way, and nothing that is misspelt is overlooked."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker
from worker import failpoints
from worker.failpoints import Failpoint, InjectedError, configure, pass_by

SOURCES = [path for path in Path(worker.__file__).parent.rglob("*.py") if path.name != "failpoints.py"]


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    configure({})


@pytest.mark.parametrize("place", Failpoint)
def test_every_failpoint_is_passed_by_somewhere(place: Failpoint) -> None:
    passed = re.compile(rf"await pass_by\(Failpoint\.{place.name}\)")

    assert any(passed.search(path.read_text("utf-8")) for path in SOURCES)


async def test_a_failpoint_that_is_not_armed_does_nothing() -> None:
    configure({Failpoint.AFTER_COMMIT: "raise"})

    assert await pass_by(Failpoint.BEFORE_COMMIT) is None  # type: ignore[func-returns-value]


async def test_a_failpoint_acts_at_the_time_that_was_said_and_at_no_other() -> None:
    configure({Failpoint.BEFORE_COMMIT: "raise@2"})

    await pass_by(Failpoint.BEFORE_COMMIT)
    with pytest.raises(InjectedError):
        await pass_by(Failpoint.BEFORE_COMMIT)
    await pass_by(Failpoint.BEFORE_COMMIT)


async def test_a_block_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    configure({Failpoint.AFTER_COMMIT: "block"})

    await pass_by(Failpoint.AFTER_COMMIT)

    assert slept == [failpoints.BLOCK_SECONDS]


@pytest.mark.parametrize("armed", [{"somewhere": "kill"}, {"before-commit": "explode"}, {"before-commit": "kill@soon"}])
def test_what_is_misspelt_is_refused(armed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"somewhere|explode|soon"):
        configure(armed)
