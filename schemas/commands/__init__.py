"""Every command, and how its data is read."""

from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.commands.accounts import (
    ArchiveAccount,
    ChangeCurrency,
    ChangePaymentTerms,
    CreateAccount,
    DeleteAccount,
    UpdateAccount,
)
from schemas.commands.command import Command
from schemas.commands.holds import CancelSuspension, ReactivateAccount, ScheduleSuspension, SuspendAccount
from schemas.commands.profiles import AttachPaymentProfile, DetachPaymentProfile, ReportPaymentProfile
from schemas.commands.projects import (
    BindProject,
    DeleteProject,
    LockProject,
    MoveProjects,
    RegisterProject,
    UnbindProject,
    UnlockProject,
)
from schemas.commands.ticks import TickLane
from schemas.problems import Problem, bounded, has_illegible_name, problems_of, with_legible_names

COMMANDS: Final[dict[str, type[Command]]] = {
    command.TYPE: command
    for command in (
        CreateAccount,
        UpdateAccount,
        ChangeCurrency,
        ChangePaymentTerms,
        AttachPaymentProfile,
        ReportPaymentProfile,
        DetachPaymentProfile,
        SuspendAccount,
        ScheduleSuspension,
        CancelSuspension,
        ReactivateAccount,
        ArchiveAccount,
        DeleteAccount,
        BindProject,
        UnbindProject,
        LockProject,
        UnlockProject,
        MoveProjects,
        RegisterProject,
        DeleteProject,
        TickLane,
    )
}
"""The model of each command type, in the order of the contract."""

_READERS: Final = {kind: command.__pydantic_validator__.validate_python for kind, command in COMMANDS.items()}


def is_known(kind: str) -> bool:
    """Tell whether there is a command of this type."""
    return kind in COMMANDS


def parse(kind: str, data: object) -> Command | list[Problem]:
    """Read the data of a command of a known type: the command, or everything that is wrong with it.

    `data` is what a JSON parser gave. No JSON value raises; an unknown type is a KeyError.
    """
    try:
        command: Command = _READERS[kind](data)
    except ValidationError as refused:
        errors = refused.errors(include_url=False, include_input=False)
        return bounded(_everything_wrong(COMMANDS[kind], data, errors))
    return command


def _everything_wrong(model: type[Command], data: object, errors: list[ErrorDetails]) -> list[Problem]:
    if has_illegible_name(errors):
        data = with_legible_names(data)
        try:
            model.__pydantic_validator__.validate_python(data)
        except ValidationError as refused:
            errors = refused.errors(include_url=False, include_input=False)
    problems = problems_of(errors)
    if isinstance(data, dict):
        problems.extend(model.contradictions(data))
    return problems


__all__ = [
    "COMMANDS",
    "ArchiveAccount",
    "AttachPaymentProfile",
    "BindProject",
    "CancelSuspension",
    "ChangeCurrency",
    "ChangePaymentTerms",
    "Command",
    "CreateAccount",
    "DeleteAccount",
    "DeleteProject",
    "DetachPaymentProfile",
    "LockProject",
    "MoveProjects",
    "Problem",
    "ReactivateAccount",
    "RegisterProject",
    "ReportPaymentProfile",
    "ScheduleSuspension",
    "SuspendAccount",
    "TickLane",
    "UnbindProject",
    "UnlockProject",
    "UpdateAccount",
    "is_known",
    "parse",
]
