"""What a batch touches: found before anything is decided, so that it is loaded in a few statements."""

from collections.abc import Collection, Sequence

from aiokafka import ConsumerRecord

from worker.domain.book import Key
from worker.domain.commands import (
    Action,
    ArchiveAccount,
    BindProject,
    DeleteAccount,
    DeleteProject,
    LockProject,
    MoveProjects,
    RegisterProject,
    UnbindProject,
    UnlockProject,
)
from worker.domain.value import value
from worker.domain.values import Instant
from worker.store.book import Needs
from worker.wire.request import Request, Tick, Unreadable


@value
class Incoming:
    """A record, its instant, and what it turned out to be."""

    record: ConsumerRecord
    at: Instant
    what: Request | Tick | Unreadable

    @property
    def is_alone(self) -> bool:
        """Whether it must be a batch of its own: what it touches hangs on what the commands before it did."""
        return isinstance(self.what, Request) and isinstance(self.what.action, MoveProjects)


@value
class BatchNeeds:
    """What has to be loaded before a batch is decided: state, and answers given before."""

    book: Needs
    ids: Collection[Key]


def needs_of(incoming: Sequence[Incoming]) -> BatchNeeds:
    """What the batch touches, whatever its outcome."""
    needs, ids = Needs(), set()
    for item in incoming:
        request = item.what
        if not isinstance(request, Request):
            continue
        ids.add((request.organization, request.id))
        if request.action is not None:
            _need(needs, request.organization, request.action, len(incoming))
    return BatchNeeds(needs, ids)


def accounts_of(organization: str, action: Action) -> list[Key]:
    """The accounts that a command names."""
    match action:
        case BindProject():
            return [(organization, action.account)]
        case UnbindProject() | LockProject() | UnlockProject() | RegisterProject() | DeleteProject():
            return []
        case MoveProjects():
            return [(organization, action.source), (organization, action.target)]
        case _:
            return [(organization, action.account)]


def projects_of(organization: str, action: Action) -> list[Key]:
    """The projects that a command names."""
    match action:
        case BindProject() | UnbindProject() | LockProject() | UnlockProject() | RegisterProject() | DeleteProject():
            return [(organization, action.project)]
        case MoveProjects():
            return [(organization, project) for project in action.projects or ()]
        case _:
            return []


def _need(needs: Needs, organization: str, action: Action, batch_size: int) -> None:
    needs.accounts.update(accounts_of(organization, action))
    needs.projects.update(projects_of(organization, action))
    if isinstance(action, DeleteAccount | ArchiveAccount):
        needs.samples[organization, action.account] = batch_size
    elif isinstance(action, MoveProjects):
        needs.is_move = True
        if action.projects is None:
            needs.everything.add((organization, action.source))
