"""Values: frozen to whoever reads the code and to the type checker, cheap to make at run time."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, eq_default=True)
def value(cls: type[T]) -> type[T]:
    """A class of values, compared and hashed by what they hold. Assigning to a field is an error of types.

    Not frozen at run time: a frozen dataclass sets each field by a call, and a command makes two dozen values. That
    took 10 of the 74 microseconds in which a bind is read, decided and written.
    """
    return dataclass(slots=True, eq=True, unsafe_hash=True)(cls)
