"""Ids that were used up, and the results that lie in the journal: each of one has its counterpart in the other."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row

from schemas.results import CommandAccepted, CommandEvaluated, CommandRejected
from worker.domain.decision import Reason
from worker.domain.values import Instant
from worker.recovery.verify.finding import Check, Finding
from worker.recovery.verify.ground import Ground
from worker.recovery.verify.records import Json, envelope_of

_KINDS: Final = {"accepted": CommandAccepted.TYPE, "rejected": CommandRejected.TYPE}
_IDS_NOT_USED: Final = {Reason.KEY_MISMATCH, Reason.WRONG_PARTITION, Reason.COMMAND_ID_REUSED}

_REMEMBERED = """
    SELECT i.organization, i.command_id, i.lane, i."offset", i.at, i.outcome, i.result, j.at AS result_at, j.value
    FROM inbox AS i
    LEFT JOIN journal AS j ON j.lane = i.lane AND j."offset" = i."offset" AND j.topic = 'command-results'
    WHERE ONLY(i)
"""
_FORGOTTEN = """
    SELECT j.lane, j."offset", j.index AS number, j.at, j.key, j.value FROM journal AS j
    WHERE j.topic = 'command-results' AND {of_key}
    AND NOT EXISTS (SELECT FROM inbox AS i WHERE i.lane = j.lane AND i."offset" = j."offset")
"""
_USED_ANEW = "SELECT 1 FROM inbox AS i WHERE i.organization = :whose AND i.command_id = :command AND i.at > :at"
_OLDEST = "SELECT i.lane, min(i.at) AS at FROM inbox AS i WHERE ONLY(i) GROUP BY i.lane"


class Answers:
    """The inbox beside the results in the journal. Ids are forgotten, and pieces dropped, when their time is over."""

    checks = (
        Check(
            "answers_are_in_the_journal",
            "What was answered to a command lies in the journal as its result, at its offset, to the letter.",
        ),
        Check(
            "results_are_remembered",
            "Each result in the journal that used an id up is remembered in the inbox, from the oldest that is, unless"
            " the id was used anew since.",
        ),
    )

    def rows(self, ground: Ground) -> int:
        """How many answers it looks at, one way and the other."""
        return 2 * ground.rows["inbox"]

    async def prove(self, ground: Ground, findings: Sequence[Finding]) -> None:
        """Look from each side at the other."""
        answers, results = findings
        answers.unit, results.unit = "answers", "results of no remembered command"
        before = 0
        async for row in ground.select(ground.scoped(_REMEMBERED)):
            answers.looked_at += 1
            if row.value is None:
                if row.offset >= ground.reach.since.get(row.lane, 0):
                    where = {"lane": row.lane, "offset": row.offset}
                    answers.refute(
                        organization=row.organization, command=row.command_id, **where, problem="no result lies there"
                    )
                else:
                    before += 1
            elif problem := _differs(row.command_id, row.organization, row.outcome, row.result, envelope_of(row.value)):
                answers.refute(
                    organization=row.organization,
                    command=row.command_id,
                    lane=row.lane,
                    offset=row.offset,
                    problem=problem,
                    remembered=row.result,
                    result=row.value,
                )
            elif row.at != row.result_at:
                answers.refute(
                    organization=row.organization, command=row.command_id, at=row.at, result_at=row.result_at
                )
            await ground.did(1)
        if before:
            answers.notes.append(f"{before} answers lie before where the journal begins")
        await self._prove_remembered(ground, results)

    async def _prove_remembered(self, ground: Ground, results: Finding) -> None:
        oldest = {row.lane: row.at async for row in ground.select(ground.scoped(_OLDEST))}
        of_key = "true"
        if ground.organization is not None:
            of_key = f"{ground.of_journal} AND j.key = convert_to(:organization, 'UTF8')"
        async for row in ground.select(_FORGOTTEN.format(of_key=of_key)):
            results.looked_at += 1
            envelope = envelope_of(row.value)
            if not _is_recent(oldest, row.lane, row.at) or not _uses_an_id(envelope):
                continue
            if await _is_used_anew(ground, row, envelope or {}):
                continue
            results.refute(lane=row.lane, offset=row.offset, number=row.number, organization=row.key, result=row.value)
        await ground.did(ground.rows["inbox"])


async def _is_used_anew(ground: Ground, row: Row[Any], envelope: Json) -> bool:
    id_ = {"whose": (row.key or b"").decode(errors="replace"), "command": str(envelope.get("causationid"))}
    return bool([found async for found in ground.select(_USED_ANEW, **id_, at=row.at)])


def _is_recent(oldest: Mapping[int, Instant], lane: int, at: Instant) -> bool:
    return lane in oldest and at >= oldest[lane]


def _differs(command: str, organization: str, outcome: str, data: bytes, envelope: Json | None) -> str | None:
    if envelope is None:
        return "the result is not a CloudEvents document"
    if envelope.get("type") != _KINDS.get(outcome):
        return "the outcomes differ"
    if (envelope.get("organization"), envelope.get("causationid")) != (organization, command):
        return "the result is of another command"
    return None if envelope["data"] == (envelope_of(b'{"data":' + data + b"}") or {}).get("data") else "they differ"


def _uses_an_id(envelope: Json | None) -> bool:
    """Whether the command of a result used its id up. An UNKNOWN_COMMAND does only if it was new; so it is left out."""
    if envelope is None or envelope.get("type") == CommandEvaluated.TYPE or envelope["data"].get("duplicate"):
        return False
    codes = {reason.get("code") for reason in envelope["data"].get("reasons", ())}
    return not codes & {*_IDS_NOT_USED, Reason.UNKNOWN_COMMAND, Reason.INTERNAL_ERROR}
