"""What every event is."""

from typing import ClassVar

from schemas.message import Message


class Event(Message):
    """The data of an event: what has happened, with the complete new value of what it changed.

    The organization is in the envelope, the account or project in its subject, the instant in its time.
    """

    TYPE: ClassVar[str]
