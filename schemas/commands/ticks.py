"""The command without effect of its own."""

from typing import ClassVar

from schemas.commands.command import Command


class TickLane(Command):
    """Let a partition's time pass, so that due work is done and answers become final.

    It has no result and uses up no id; its organization and key do not matter.
    """

    TYPE: ClassVar[str] = "billing.lane.tick.v1"
