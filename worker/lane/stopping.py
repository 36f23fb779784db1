"""What kinds of reasons there are for which a lane waits for an operator's word.

The sentence is for people and is kept in the lane's row. Metrics and alerts need a few kinds, found by what every
sentence of a kind has in common; a test holds that none of the sentences is left over.
"""

from enum import StrEnum
from typing import Final


class StopReason(StrEnum):
    """The kinds, as the label of a metric tells them."""

    LOG_REPLACED = "log_replaced"
    COMMANDS_GONE = "commands_gone"
    HORIZONS_LOST = "horizons_lost"
    PUBLISHED_AHEAD = "published_ahead"
    CLOCK_AHEAD = "clock_ahead"
    NO_APPEND_TIME = "no_append_time"
    CUT_OVER_UNKNOWN = "cut_over_unknown"
    OTHER_INSTALLATION = "other_installation"
    DECLARED_ANEW = "declared_anew"
    OTHER = "other"


_SAID: Final = {
    "topic made anew or cut?": StopReason.LOG_REPLACED,
    "commands are gone unread": StopReason.COMMANDS_GONE,
    "the horizons topic ": StopReason.HORIZONS_LOST,
    "was published: topics lost?": StopReason.HORIZONS_LOST,
    "but the database stands at": StopReason.PUBLISHED_AHEAD,
    "a broker's clock is wrong": StopReason.CLOCK_AHEAD,
    "has no append time": StopReason.NO_APPEND_TIME,
    "the topics tell of a cut-over": StopReason.CUT_OVER_UNKNOWN,
    "the topics belong to installation": StopReason.OTHER_INSTALLATION,
    "partitions are declared by now": StopReason.DECLARED_ANEW,
}


def kind_of(sentence: str) -> StopReason:
    """The kind of a reason, by its sentence."""
    return next((kind for said, kind in _SAID.items() if said in sentence), StopReason.OTHER)
