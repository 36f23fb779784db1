"""Whatever a subscriber reads, loses, reads again or reads late: it answers right, or says that it does not know."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.state import TIMELINE_CLOSED_MAX
from schemas.subscriber import Payers, Unknown, Why
from schemas.subscriber import timeline as timelines
from tests.domain.given import INSTALLATION
from tests.domain.histories import History, histories, tell
from tests.schemas.subscribing import Published, Subscriber, Wander, is_wrong, questions, truth
from worker.domain import projects

law = settings(max_examples=25, deadline=None)
SEEDS = st.integers(min_value=0, max_value=2**32)

length_of_timelines = pytest.mark.parametrize(
    "closed_max", [TIMELINE_CLOSED_MAX, 2], ids=["200 closed intervals", "2 closed intervals"]
)


@contextmanager
def timelines_of(closed_max: int) -> Iterator[None]:
    """Compacted records keep so many closed intervals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projects, "CLOSED_INTERVALS_MAX", closed_max)
        patch.setattr(timelines, "TIMELINE_CLOSED_MAX", closed_max)
        yield


def subscriber(*, whole: bool, published: Published | None = None) -> Subscriber:
    return Subscriber(published or Published(INSTALLATION), Payers(whole=whole, partitions=1))


@length_of_timelines
@pytest.mark.parametrize("losing", [0.0, 0.2], ids=["whole", "lossy"])
@law
@given(histories(), SEEDS)
def test_no_answer_is_ever_wrong(closed_max: int, losing: float, history: History, seed: int) -> None:
    complete = tell(history)
    reader, random, asked = subscriber(whole=True), Random(seed), questions(complete)  # noqa: S311 - repeatable
    with timelines_of(closed_max):
        for _ in Wander(tell(history), reader, random, losing).go():
            for question in random.choices(asked or [("acme", "atlas", complete[-1].at)], k=12):
                answer = reader.payers.paid(*question)
                assert not is_wrong(answer, truth(complete[-1].after, question)), question
        reader.catch_up()

        for question in asked:
            answer, true = reader.payers.paid(*question), truth(complete[-1].after, question)
            assert not is_wrong(answer, true), question
            if question[2] <= complete[-1].at and not reader.lost:
                assert answer == true, question
            if question[2] <= complete[-1].at and question[:2] not in reader.published.tombstoned:
                assert answer in (true, Unknown(Why.BEFORE_TIMELINE)), question


@length_of_timelines
@law
@given(histories(), SEEDS)
def test_who_starts_late_from_the_compacted_topic_answers_like_who_read_everything(
    closed_max: int, history: History, seed: int
) -> None:
    asked, random = questions(tell(history)), Random(seed)  # noqa: S311 - repeatable
    with timelines_of(closed_max):
        steps = tell(history)
        old = subscriber(whole=True)
        late = subscriber(whole=False, published=old.published)
        begins = random.randrange(len(steps) + 1)
        for n, step in enumerate(steps):
            if n == begins:
                late.payers.reached(old.published.ends_of("binding-events"))
            if n == begins + 3:
                late.read_compacted()
            old.published.publish(step, n)
        old.catch_up()
        late.catch_up()

        for organization, name, at in asked:
            if at > steps[-1].at:
                continue
            ours, theirs = (each.payers.paid(organization, name, at) for each in (late, old))
            project = steps[-1].after.projects[organization, name]
            if (organization, name) in old.published.tombstoned or project is None:
                assert ours in (theirs, Unknown(Why.NEVER_SEEN), Unknown(Why.REMOVED), Unknown(Why.BEFORE_TIMELINE))
            elif ours == Unknown(Why.BEFORE_TIMELINE):
                assert at < project.closed_since
            else:
                assert ours == theirs
