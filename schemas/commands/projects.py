"""Commands on projects and on who pays for them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, Strict, StringConstraints, model_validator

from schemas.commands.command import Command
from schemas.message import Maybe
from schemas.problems import Problem, pointer
from schemas.rejections import RejectionCode
from schemas.values import AccountId, Count, ProjectId, Sentence

MOVE_PROJECTS_MAX = 5000

ExpectedBinding = Annotated[
    Annotated[str, StringConstraints(max_length=128, to_lower=True)] | None,
    Field(
        description="The id of the open binding that the publisher knows of; whatever else it says is another binding. "
        "Absent: any. Null: the project is unbound."
    ),
]


class BindProject(Command):
    """Make an account pay for a project from now on.

    `expected_binding` is None both for absent (any will do) and null (must be unbound): see `model_fields_set`.
    """

    TYPE: ClassVar[str] = "billing.project.bind.v1"

    project: ProjectId
    account: AccountId
    on_existing: Literal["supersede", "reject"] = "supersede"
    expected_binding: ExpectedBinding = None


class UnbindProject(Command):
    """Let nobody pay for a project. `expectedBinding` as in BindProject."""

    TYPE: ClassVar[str] = "billing.project.unbind.v1"

    project: ProjectId
    expected_binding: ExpectedBinding = None


class LockProject(Command):
    """Keep the payer of a project: no rebind, unbind or move until it is unlocked."""

    TYPE: ClassVar[str] = "billing.project.lock.v1"

    project: ProjectId
    note: Sentence


class UnlockProject(Command):
    """Let the payer of a project be changed again."""

    TYPE: ClassVar[str] = "billing.project.unlock.v1"

    project: ProjectId
    note: Sentence


class MoveProjects(Command):
    """Make another account pay for the projects of an account: all or nothing, at one instant."""

    TYPE: ClassVar[str] = "billing.account.move-projects.v1"

    from_: AccountId = Field(alias="from")
    to: AccountId
    projects: Maybe[
        Annotated[
            tuple[ProjectId, ...],
            Strict(False),  # JSON has arrays only
            Field(min_length=1, max_length=MOVE_PROJECTS_MAX, json_schema_extra={"uniqueItems": True}),
        ]
    ] = None
    expected_count: Maybe[Count] = None

    @classmethod
    def contradictions(cls, data: Mapping[str, object]) -> Iterator[Problem]:
        """Every project at most once; too many are not looked at."""
        match data.get("projects"):
            case [*projects] if len(projects) <= MOVE_PROJECTS_MAX:
                seen: set[str] = set()
                for index, project in enumerate(projects):
                    if isinstance(project, str):
                        if project in seen:
                            message = "Stands in the list already."
                            yield Problem(RejectionCode.INVALID_DATA, message, pointer("projects", index))
                        seen.add(project)
            case _:
                pass

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        return self.refuse_contradictions()


class RegisterProject(Command):
    """A project exists, says whoever owns projects."""

    TYPE: ClassVar[str] = "billing.project.register.v1"

    project: ProjectId


class DeleteProject(Command):
    """A project is gone, says whoever owns projects; its binding ends whatever locks or holds there are."""

    TYPE: ClassVar[str] = "billing.project.delete.v1"

    project: ProjectId
