"""A state that was published is read again as the account or project that it tells of."""

from dataclasses import replace

import pytest
from hypothesis import given

from tests.domain.histories import History, histories, law, tell
from tests.wire.given import ACCOUNT, PROJECT, WRITER, cause
from worker.domain.accounts import Account
from worker.domain.projects import Project
from worker.wire.published import NotPublishedError
from worker.wire.published_states import read_account, read_project


def told(account: Account) -> Account:
    return replace(account, notices=None)


def told_of(project: Project) -> Project:
    return replace(project, registered_at=project.closed_since, at_risk=False, tombstoned=False)


@law
@given(histories())
def test_a_state_is_read_as_it_was_written(history: History) -> None:
    steps = tell(history)
    for step in steps[-1:]:
        for account in filter(None, step.after.accounts.values()):
            assert read_account(WRITER.account_state(cause(), account, 0).value) == told(account)
        for project in filter(None, step.after.projects.values()):
            assert read_project(WRITER.payer_state(cause(), project, 0).value) == told_of(project)


def test_a_state_with_everything_in_it_is_read_as_it_was_written() -> None:
    assert read_account(WRITER.account_state(cause(), ACCOUNT, 0).value) == told(ACCOUNT)
    assert read_project(WRITER.payer_state(cause(), PROJECT, 0).value) == told_of(PROJECT)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\xff", b'{"type":"billing.account.state.v1"}'])
def test_what_no_worker_wrote_is_no_state(value: bytes | None) -> None:
    with pytest.raises(NotPublishedError):
        read_account(value)
    with pytest.raises(NotPublishedError):
        read_project(value)


def test_the_state_of_one_kind_is_not_taken_for_the_other() -> None:
    with pytest.raises(NotPublishedError):
        read_account(WRITER.payer_state(cause(), PROJECT, 0).value)
    with pytest.raises(NotPublishedError):
        read_project(WRITER.account_state(cause(), ACCOUNT, 0).value)
