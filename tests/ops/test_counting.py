"""What is counted per batch comes to what is so in the end."""

import pytest
from hypothesis import given

from tests.domain.given import amber_pays
from tests.domain.histories import History, everything, histories, law, tell
from worker.domain.commands import Action, BindProject, DeleteProject, RegisterProject, UnbindProject
from worker.lane.counting import count_events
from worker.metrics import REGISTRY
from worker.wire.events import FORMS


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def missing() -> float:
    """By how many projects more have no payer, as the counts tell."""
    reasons = ("UNBOUND", "REGISTERED")
    began = sum(counted("billing_payers_missing_total", reason=reason) for reason in reasons)
    return began - counted("billing_payers_missing_ended_total")


@law
@given(histories())
def test_the_counts_tell_how_many_projects_have_no_payer_wherever_batches_are_cut(history: History) -> None:
    steps = tell(history)
    projects = steps[-1].after.projects.values() if steps else ()
    unpaid = [project for project in projects if project and project.open is None and project.deleted_at is None]

    before = missing()
    count_events(everything(steps))
    assert missing() - before == len(unpaid)

    before = missing()
    for step in steps:
        count_events([*step.due, *step.recorded])
    assert missing() - before == len(unpaid)


@law
@given(histories())
def test_every_event_is_counted_under_its_type(history: History) -> None:
    events = everything(tell(history))
    words = {form.type.removeprefix("billing.").removesuffix(".v1") for form in FORMS.values()}

    before = sum(counted("billing_events_total", event=word) for word in words)
    count_events(events)
    assert sum(counted("billing_events_total", event=word) for word in words) - before == len(events)


@pytest.mark.parametrize(
    ("actions", "difference"),
    [
        ([RegisterProject("new")], 1),
        ([RegisterProject("new"), BindProject("new", "amber")], 0),
        ([BindProject("new", "amber")], 0),
        ([BindProject("new", "amber"), UnbindProject("new")], 1),
        ([RegisterProject("new"), DeleteProject("new")], 0),
        ([BindProject("new", "amber"), DeleteProject("new")], 0),
        ([DeleteProject("new")], 0),
    ],
)
def test_a_project_counts_as_long_as_nobody_pays_for_it(actions: list[Action], difference: int) -> None:
    lane = amber_pays().given(*actions)

    before = missing()
    count_events(lane.journal)

    assert missing() - before == difference
