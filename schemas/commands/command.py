"""What every command is."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic_core import PydanticCustomError

from schemas.message import Message
from schemas.problems import CONTRADICTION, Problem


class Command(Message):
    """The data of a command."""

    TYPE: ClassVar[str]

    @classmethod
    def contradictions(cls, data: Mapping[str, object]) -> Iterator[Problem]:  # noqa: ARG003 - others look at it
        """Tell which fields do not go together, whatever else is wrong with them."""
        yield from ()

    def refuse_contradictions(self) -> Self:
        """Close a model to data that contradicts itself; for use as its last validator."""
        fields = type(self).model_fields
        given = {fields[name].alias or name: getattr(self, name) for name in self.model_fields_set}
        for problem in self.contradictions(given):
            raise PydanticCustomError(CONTRADICTION, "{sentence}", {"sentence": problem.message})
        return self
