"""What is waited out, and what is answered as a defect."""

import pytest
from aiokafka.errors import NotLeaderForPartitionError
from asyncpg import DeadlockDetectedError, InvalidCachedStatementError, UniqueViolationError
from sqlalchemy.exc import DBAPIError

from worker.lane.faults import is_fault


def raised(cause: Exception) -> DBAPIError:
    """As SQLAlchemy wraps what its driver's adapter raises."""
    original = Exception(str(cause))
    original.__cause__ = cause
    original.sqlstate = cause.sqlstate  # type: ignore[attr-defined]
    return DBAPIError("SELECT", None, original)


@pytest.mark.parametrize(
    ("error", "is_waited_out"),
    [
        (raised(InvalidCachedStatementError("cached statement plan is invalid")), True),
        (raised(DeadlockDetectedError("deadlock detected")), True),
        (raised(UniqueViolationError("an id twice")), False),
        (NotLeaderForPartitionError(), True),
        (ValueError("of ours"), False),
    ],
    ids=lambda value: type(getattr(getattr(value, "orig", None), "__cause__", None) or value).__name__,
)
def test_a_fault_is_waited_out_and_a_defect_is_answered(error: Exception, is_waited_out: bool) -> None:  # noqa: FBT001
    assert is_fault(error) is is_waited_out
    assert is_fault(ExceptionGroup("both", [error, OSError()])) is is_waited_out
