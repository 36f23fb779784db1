"""One verification from beginning to end."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from worker.domain.values import Instant
from worker.recovery.progress import Bar, Pace
from worker.recovery.verify.compacted import CompactedStates
from worker.recovery.verify.digest import Digest, digests
from worker.recovery.verify.finding import Finding
from worker.recovery.verify.ground import Ground, Look, create_reading_engine, standing
from worker.recovery.verify.logs import Horizons, open_logs
from worker.recovery.verify.proof import PROVERS, prove
from worker.recovery.verify.prover import Prover
from worker.recovery.verify.published import PublishedEvents
from worker.settings import Settings
from worker.store.lanes import BEFORE_ALL
from worker.wire.outgoing import Topic

COUNTEREXAMPLES: int = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look at. `at`: the digest as of an instant instead of now. Without `checks` only the digest is taken."""

    organization: str | None = None
    at: Instant | None = None
    topics: bool = False
    checks: bool = True
    counterexamples_max: int = COUNTEREXAMPLES
    rate: float | None = None


@dataclass(slots=True)
class Report:
    """What came of it. `complete_through`: up to which instant all answers are final, None before any are.

    `rows` is how many rows and records were gone through.
    """

    digest: Digest = field(default_factory=lambda: Digest(None))
    organizations: int = 0
    complete_through: Instant | None = None
    checks: int = 0
    refuted: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether everything that was looked at is as it should be."""
        return self.refuted == 0


async def verify(
    settings: Settings,
    asked: Asked,
    bar: Bar,
    on_finding: Callable[[Finding], None],
    on_digest: Callable[[Digest], None],
) -> Report:
    """Prove every claim, then take the digests; each finding and digest is handed over as soon as it is known.

    Reads only, all from one moment of the database. Raises what the clients raise, TopicMissing and LogHeldBack.
    """
    engine = create_reading_engine(settings.database.url)
    report, topics, pace = Report(), settings.topics, Pace(asked.rate)
    look = Look(topics.commands, topics.partitions, asked.organization, asked.counterexamples_max, bar, pace)
    try:
        async with standing(engine, look) as ground:
            report.complete_through = _complete_through(ground)
            async for finding in _findings(settings, asked, ground):
                report.checks += 1
                report.refuted += not finding.holds
                on_finding(finding)
            bar.say("digest")
            async for digest in digests(ground, asked.at):
                report.digest.add(digest)
                report.organizations += 1
                on_digest(digest)
    finally:
        await engine.dispose()
    report.rows, report.seconds = bar.count, bar.seconds
    return report


async def _findings(settings: Settings, asked: Asked, ground: Ground) -> AsyncIterator[Finding]:
    rows = sum(ground.rows[table] for table in ("accounts", "holds", "phases", "projects", "bindings"))
    if not asked.checks:
        ground.bar.aim(rows)
        return
    if not asked.topics:
        ground.bar.aim(rows + _rows(ground, PROVERS))
        async for finding in prove(ground):
            yield finding
        return
    async with open_logs(settings, ground) as logs:
        of_topics: Sequence[Prover] = (
            Horizons(logs),
            PublishedEvents(Topic.ACCOUNT_EVENTS, logs),
            PublishedEvents(Topic.BINDING_EVENTS, logs),
            CompactedStates(Topic.ACCOUNTS, logs),
            CompactedStates(Topic.PAYERS, logs),
        )
        provers = (*PROVERS, *of_topics)
        ground.bar.aim(rows + _rows(ground, provers))
        async for finding in prove(ground, provers):
            yield finding


def _rows(ground: Ground, provers: Sequence[Prover]) -> int:
    return sum(prover.rows(ground) for prover in provers)


def _complete_through(ground: Ground) -> Instant | None:
    through = min((lane.latest_at for lane in ground.lanes.values()), default=None)
    is_whole = len(ground.lanes) >= ground.partitions
    return through if through is not None and is_whole and through > BEFORE_ALL else None
