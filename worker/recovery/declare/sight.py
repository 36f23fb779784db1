"""What a stopped lane's log and horizon are, as far as they can be told, and which word of an operator fits them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.lane.fingerprint import fingerprint_of
from worker.lane.watermark import is_unknown_cut_over
from worker.recovery.cutover.sight import LaneSight, Sight
from worker.store.lanes import Lane
from worker.wire.horizons import Horizon, horizon_key, read_horizon
from worker.wire.outgoing import Topic


class LogState(StrEnum):
    """What the log of commands is to the lane."""

    SAME = "the one that was read"
    UNTOLD = "reaches the position, and nothing tells whether it is the one that was read"
    OTHER = "another than the one that was read"
    ENDS_BEFORE = "ends before the position"
    STARTS_PAST = "starts past the position"


class HorizonState(StrEnum):
    """What the topics tell of how far the lane is published."""

    WHOLE = "as it should be"
    LOST = "lost"
    BEHIND = "behind what was published"
    FOREIGN = "not of this installation"
    AHEAD = "of a cut-over that this database does not know"


class Word(StrEnum):
    """What an operator may declare."""

    LOG_ANEW = "commands-anew"
    SKIP = "skip-to-start"
    PUBLISHED = "published-through-position"
    PUBLISH_AGAIN = "publish-again"


@dataclass(frozen=True, slots=True)
class Declarable:
    """A lane with a row, and what is known of its log and horizon. `told` is the horizon that the topics hold."""

    lane: LaneSight
    row: Lane
    log: LogState
    horizon: HorizonState
    told: Horizon | None

    def why_not(self, word: Word) -> str | None:
        """Why it would contradict what is seen to declare this; None if it would not."""
        name = f"lane {self.row.partition}"
        match word:
            case Word.LOG_ANEW if self.log is LogState.STARTS_PAST:
                return f"{name}: the log starts past the position: --{Word.SKIP} says that what is gone is lost"
            case Word.LOG_ANEW if self.log not in {LogState.OTHER, LogState.ENDS_BEFORE}:
                return f"{name}: the log is {self.log}, so nothing has begun anew"
            case Word.SKIP if self.log is not LogState.STARTS_PAST:
                return f"{name}: the log does not start past the position {self.row.next_offset}: it is {self.log}"
            case Word.PUBLISHED | Word.PUBLISH_AGAIN if self.horizon is HorizonState.AHEAD:
                return f"{name}: its horizon is {self.horizon}: no word mends that. {self.lane.trouble}"
            case Word.PUBLISHED | Word.PUBLISH_AGAIN if self.horizon is HorizonState.FOREIGN:
                return f"{name}: its horizon is {self.horizon}: these are the wrong topics, or the wrong database"
            case Word.PUBLISHED | Word.PUBLISH_AGAIN if self.horizon is HorizonState.WHOLE:
                return f"{name}: its horizon is {self.horizon}, so nothing is lost"
            case _:
                return self._unsafe(word)

    def _unsafe(self, word: Word) -> str | None:
        """A log cannot be judged for a database that is older than the topics, or by topics that are lost."""
        if word not in {Word.LOG_ANEW, Word.SKIP}:
            return None
        name = f"lane {self.row.partition}"
        if self.horizon is not HorizonState.WHOLE:
            return f"{name}: its horizon is {self.horizon}: declare that first"
        if self.told is not None and self.told.offset > self.row.next_offset:
            return f"{name} stands at {self.row.next_offset}, but the topics tell of {self.told.offset}: an old backup?"
        return None

    @property
    def fitting(self) -> list[Word]:
        """What could be declared."""
        return [word for word in Word if self.why_not(word) is None]

    def as_json(self) -> dict[str, Any]:
        """For people and programs."""
        return {
            "lane": self.row.partition,
            "stopped": self.row.stopped,
            "position": self.row.next_offset,
            "published": self.row.published,
            "logStart": self.lane.bounds.start,
            "logEnd": self.lane.bounds.end,
            "log": self.log.value,
            "horizon": self.horizon.value,
            "horizonOffset": None if self.told is None else self.told.offset,
            "fitting": [word.value for word in self.fitting],
        }


async def look_at(eyes: Sight, row: Lane) -> Declarable:
    """One lane as it is now."""
    lane = await eyes.lane(row.partition, row)
    parts, key = eyes.parts, horizon_key(eyes.parts.settings.topics.commands, row.partition)
    record = await eyes.reader.newest_of_key(parts.names.log_of(Topic.HORIZONS, key), key, row.horizon_offset)
    told = None if record is None else read_horizon(record.value)
    state = HorizonState.WHOLE
    if lane.trouble is not None and is_unknown_cut_over(lane.trouble):
        state = HorizonState.AHEAD
    elif lane.trouble is not None:
        is_ours = told is not None and told.installation == parts.installation
        state = HorizonState.LOST if record is None else HorizonState.BEHIND if is_ours else HorizonState.FOREIGN
    return Declarable(lane, row, await _log_state(eyes, lane, row), state, told)


async def _log_state(eyes: Sight, lane: LaneSight, row: Lane) -> LogState:
    """The same comparison as at a take-over."""
    if row.next_offset < lane.bounds.start:
        return LogState.STARTS_PAST
    if row.next_offset > lane.bounds.end:
        return LogState.ENDS_BEFORE
    fingerprint = row.fingerprint
    if fingerprint is None or fingerprint.offset < lane.bounds.start:
        return LogState.UNTOLD
    record = await eyes.reader.record_at(eyes.log_of(row.partition), fingerprint.offset)
    return LogState.SAME if record is not None and fingerprint_of(record) == fingerprint else LogState.OTHER
