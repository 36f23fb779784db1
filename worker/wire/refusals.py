"""Reasons of a rejection as people and programs read them. No sentence repeats what the publisher sent."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from worker.domain.decision import Reason, Refusal
from worker.domain.values import Hold
from worker.wire import parts
from worker.wire.parts import Json, instant

SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.KEY_MISMATCH: "The record's key must be the organization, byte for byte. Send it again so; the id is free.",
    Reason.WRONG_PARTITION: "The organization lives in another partition. Send it there (murmur2 of the key, modulo "
    "the declared number of partitions); the id is free.",
    Reason.UNKNOWN_COMMAND: "There is no command of this type. See the list of commands and their versions.",
    Reason.COMMAND_ID_REUSED: "Another command of this organization had this id. Send this one under a new id.",
    Reason.INVALID_DATA: "The data is not as this command needs it. Correct what `path` names.",
    Reason.INVALID_CURRENCY: "Name an active ISO 4217 currency in three capitals.",
    Reason.SENSITIVE_DATA_REFUSED: "This looks like the number of a payment card. Send the provider's token instead.",
    Reason.VERSION_CONFLICT: "The account has changed since. Look at it again, then decide anew.",
    Reason.ACCOUNT_NOT_FOUND: "The organization has no such account. Create it first.",
    Reason.ACCOUNT_ALREADY_EXISTS: "The organization has used this account id before. Choose another.",
    Reason.ACCOUNT_DELETED: "The account is deleted. Use another one.",
    Reason.ACCOUNT_ARCHIVED: "The account is archived for good. Use another one.",
    Reason.ACCOUNT_NOT_READY: "Only a Ready account takes new bindings. See its phase and holds for what is missing.",
    Reason.CURRENCY_LOCKED: "The currency is fixed once an account was active. Create another account for another one.",
    Reason.PROFILE_IN_USE: "Projects are bound to the account. Move or unbind them, or attach another profile.",
    Reason.HOLD_NOT_FOUND: "No active hold matches. See the account for its holds.",
    Reason.HOLD_ALREADY_EXISTS: "A hold of this id is active with other values. Choose another id or release it first.",
    Reason.HOLD_NOT_RELEASABLE: "This hold follows the payment profile. It goes by itself when one is Valid.",
    Reason.APPROVAL_REQUIRED: "Somebody other than a named actor must approve. Send actor and approval.",
    Reason.APPROVER_IS_ACTOR: "Whoever acts cannot approve it as well. Let somebody else approve.",
    Reason.NOTICE_TOO_SHORT: "The suspension would begin before its notice is over. Choose a later dueAt.",
    Reason.SUSPENSION_NOT_SCHEDULED: "No suspension is scheduled for this reason. See the account for what is.",
    Reason.ACTIVE_BINDINGS: "The account still pays for projects. Move or unbind them first.",
    Reason.SETTLEMENT_REQUIRED: "Prove that everything is charged: a settlement that is not of the future and reaches "
    "the end of the last binding.",
    Reason.DELETE_BLOCKED_BY_HOLD: "A hold keeps the account from being deleted. Have it released first.",
    Reason.PROJECT_NOT_FOUND: "The organization has no such project. Register it first.",
    Reason.PROJECT_DELETED: "The project is deleted for good. Use another one.",
    Reason.PROJECT_ALREADY_BOUND: "Another account pays for the project. Allow superseding, or unbind it first.",
    Reason.PROJECT_NOT_BOUND: "No account pays for the project. Bind it first.",
    Reason.BINDING_CHANGED: "Somebody else pays by now. Look at the project again, then decide anew.",
    Reason.BINDING_LOCKED: "The project's payer is locked. Unlock the project first.",
    Reason.REBIND_BLOCKED_BY_HOLD: "A hold on the present payer keeps its projects. Have it released first.",
    Reason.SAME_ACCOUNT: "Both accounts are the same. Name two.",
    Reason.MOVE_COUNT_MISMATCH: "The account pays for another number of projects. Look again, then decide anew.",
    Reason.MOVE_TOO_LARGE: "These are too many projects for one command. Move them in several.",
    Reason.MOVE_ITEMS_INELIGIBLE: "Some of the projects cannot be moved, so none was. Correct or leave out those.",
    Reason.INTERNAL_ERROR: "A defect of the billing worker, not of the command. Its operators have a copy of it.",
}


def reason(refusal: Refusal) -> Json:
    """One reason: its code, a sentence that says what to do, and details (always an object)."""
    return {
        "code": refusal.reason.value,
        "message": refusal.message or SENTENCES[refusal.reason],
        "details": {name: _detail(value) for name, value in refusal.details.items()},
    }


def _detail(value: object) -> Any:
    """Domain values as JSON; names of fields in camelCase as everywhere."""
    match value:
        case None | bool() | int():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case datetime():
            return instant(value)
        case Hold():
            return parts.hold(value)
        case Mapping():
            return {str(name): _detail(inner) for name, inner in value.items()}
        case set() | frozenset():
            return sorted(_detail(inner) for inner in value)
        case Iterable():
            return [_detail(inner) for inner in value]
        case _:
            msg = f"a refusal cannot carry {type(value).__name__}"
            raise TypeError(msg)
