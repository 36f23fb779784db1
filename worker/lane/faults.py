"""Sorting what went wrong: a fault of a machine is waited out, a defect is answered and alarmed."""

from aiokafka.errors import KafkaError
from asyncpg import InvalidCachedStatementError, PostgresError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_FAULT_CLASSES = ("08", "25", "28", "3D", "40", "42501", "53", "55", "57", "58", "XX")
"""SQLSTATE beginnings: connection, read-only, authorization, rollback (deadlock, serialization), resources, locks
not available, operator's intervention, system and internal errors. Constraint and data errors are not among them."""


def is_fault(error: BaseException) -> bool:
    """Whether waiting may help: a broken machine or network, not a broken program."""
    if isinstance(error, ExceptionGroup):
        return all(is_fault(inner) for inner in error.exceptions)
    if isinstance(error, (OSError, TimeoutError, KafkaError, PoolTimeoutError, InterfaceError, OperationalError)):
        return True
    if isinstance(error, DBAPIError):
        if error.orig is not None and isinstance(error.orig.__cause__, InvalidCachedStatementError):
            return True  # a migration has changed a column's type since the statement was prepared
        state = getattr(error.orig, "sqlstate", None) or ""
        return error.connection_invalidated or state.startswith(_FAULT_CLASSES)
    return False


def cause_of(error: BaseException) -> str:
    """One line for logs, readiness and people; without the statement and its parameters."""
    if isinstance(error, ExceptionGroup):
        return "; ".join(cause_of(inner) for inner in error.exceptions)
    original: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        original = error.orig.__cause__ or error.orig  # the driver's own says what it is by its name
    first_line = str(original).partition("\n")[0]
    if not first_line and isinstance(original, TimeoutError):
        first_line = "no answer within the time limit"
    return f"{type(original).__name__}: {first_line}"[:500]


def party_of(error: BaseException) -> str:
    """Who is at fault: kafka, database, or other (a network or this program)."""
    if isinstance(error, ExceptionGroup):
        return party_of(error.exceptions[0])
    if isinstance(error, KafkaError):
        return "kafka"
    return "database" if isinstance(error, (SQLAlchemyError, PostgresError)) else "other"
