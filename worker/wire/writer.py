"""Writing: what a command brought about, as records ready to publish."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from orjson import dumps

from schemas.commands import TickLane
from schemas.envelope import DATA_CONTENT_TYPE, SPEC_VERSION, dataschema
from schemas.state import AccountState, PayerState
from schemas.state import Horizon as HorizonState
from worker.domain.accounts import Account
from worker.domain.book import Recorded
from worker.domain.decision import Refusal
from worker.domain.events import ProjectEvent
from worker.domain.projects import Project
from worker.domain.values import SYSTEM_ACTOR, Instant, Origin, derive_id
from worker.wire import results
from worker.wire.cause import Cause, to_ms
from worker.wire.dead_letters import dead_letter
from worker.wire.events import FORMS
from worker.wire.horizons import Horizon, horizon_data, horizon_key
from worker.wire.outgoing import Outgoing, Topic, cloud_event_headers
from worker.wire.parts import Json
from worker.wire.records import RawRecord
from worker.wire.request import Request, Tick, Unreadable
from worker.wire.results import WrittenEvent, WrittenResult
from worker.wire.states import account_state, payer_state


class Writer:
    """Holds what is the same for everything that an installation writes.

    `index` numbers what one position of the log brings about: first all its events from 0 on, due work before the
    command's own, then the result, then states.
    """

    def __init__(self, installation: UUID, source: str) -> None:
        """`source` is the CloudEvents attribute of everything written."""
        self._installation = installation
        self._source = source

    def cause(self, request: Request | Tick, at: Instant) -> Cause:
        """A command or tick as it takes effect at its instant."""
        origin = Origin(self._installation, request.organization, request.id, request.position)
        kind, actor = (TickLane.TYPE, SYSTEM_ACTOR) if isinstance(request, Tick) else (request.type, request.actor)
        return Cause(origin, kind, at, actor, request.correlation_id, request.traceparent, self._source)

    def event(self, cause: Cause, recorded: Recorded, index: int) -> WrittenEvent:
        """One event; of due work it may belong to another organization than the command."""
        event, organization, sequence = recorded.event, recorded.organization, recorded.sequence
        origin = cause.origin
        if organization != origin.organization:
            origin = Origin(origin.installation, organization, origin.command, origin.position)
        if isinstance(event, ProjectEvent):
            topic, key = Topic.BINDING_EVENTS, f"{organization}/{event.project}"
            subject = f"projects/{key}"
        else:
            topic, key = Topic.ACCOUNT_EVENTS, f"{organization}/{event.account}"
            subject = f"accounts/{key}"
        form = FORMS[type(event)]
        id_, data = origin.event_id(index), form.data(event)
        record = self._record(cause, topic, key, id_, form.type, subject, organization, sequence, index, dumps(data))
        return WrittenEvent(record, id_, form.type, subject, sequence, data)

    def accepted(self, cause: Cause, events: Sequence[WrittenEvent], version: int | None, index: int) -> WrittenResult:
        """The result of a command that took effect. `version`: the sequence that `expectedversion` compares with."""
        return self._result(cause, index, results.accepted(cause.origin.command, cause.type, events, version))

    def rejected(self, cause: Cause, refusals: Iterable[Refusal], index: int) -> WrittenResult:
        """The result of a command that changed nothing."""
        return self._result(cause, index, results.rejected(cause.origin.command, cause.type, refusals))

    def evaluated(
        self, cause: Cause, events: Sequence[WrittenEvent], refusals: Iterable[Refusal], index: int
    ) -> WrittenResult:
        """The result of a dry run. The records of `events` are not for publishing."""
        return self._result(cause, index, results.evaluated(cause.origin.command, events, refusals))

    def repeated(self, cause: Cause, stored: bytes, index: int) -> WrittenResult:
        """The first result again, for the same command sent once more; `stored` is its data from the inbox."""
        return self._result(cause, index, results.repeated(stored))

    def account_state(self, cause: Cause, account: Account, index: int) -> Outgoing:
        """The whole account for its compacted topic."""
        return self._state(cause, Topic.ACCOUNTS, AccountState.TYPE, "accounts", account, index, account_state(account))

    def payer_state(self, cause: Cause, project: Project, index: int) -> Outgoing:
        """Who pays for a project, for its compacted topic."""
        return self._state(cause, Topic.PAYERS, PayerState.TYPE, "projects", project, index, payer_state(project))

    def payer_tombstone(self, cause: Cause, organization: str, project: str) -> Outgoing:
        """Removes a project from its compacted topic, long after its deletion."""
        return Outgoing(Topic.PAYERS, f"{organization}/{project}".encode(), None, (), cause.timestamp_ms)

    def horizon(self, topic: str, partition: int, horizon: Horizon) -> Outgoing:
        """How far a partition of commands has come; `topic` is its real name."""
        key = horizon_key(topic, partition)
        data = horizon_data(horizon)
        subject = f"lanes/{key.decode()}"
        id_ = derive_id(self._installation, f"horizon/{key.decode()}/{horizon.offset}/{horizon.epoch}")
        envelope = {
            "specversion": SPEC_VERSION,
            "id": id_,
            "source": self._source,
            "type": HorizonState.TYPE,
            "subject": subject,
            "time": data["through"],
            "datacontenttype": DATA_CONTENT_TYPE,
            "dataschema": dataschema(HorizonState.TYPE),
            "data": data,
        }
        headers = cloud_event_headers(id_, HorizonState.TYPE, subject)
        return Outgoing(Topic.HORIZONS, key, dumps(envelope), headers, to_ms(horizon.through))

    def dead_letter(self, record: RawRecord, unreadable: Unreadable, at: Instant, record_bytes_max: int) -> Outgoing:
        """The record as it came, with the reason; never larger than the topic takes."""
        return dead_letter(record, unreadable, to_ms(at), record_bytes_max)

    def _state(
        self, cause: Cause, topic: Topic, kind: str, folder: str, state: Account | Project, number: int, data: Json
    ) -> Outgoing:
        organization = state.organization
        key = f"{organization}/{state.id}"
        subject = f"{folder}/{key}"
        id_ = derive_id(self._installation, f"state/{cause.place}/{subject}")
        return self._record(cause, topic, key, id_, kind, subject, organization, state.sequence, number, dumps(data))

    def _result(self, cause: Cause, index: int, typed: tuple[str, bytes]) -> WrittenResult:
        (kind, data), origin = typed, cause.origin
        id_ = derive_id(self._installation, f"result/{cause.place}")
        subject = f"commands/{origin.organization}/{origin.command}"
        topic, organization = Topic.COMMAND_RESULTS, origin.organization
        record = self._record(cause, topic, organization, id_, kind, subject, organization, None, index, data)
        assert record.value is not None  # noqa: S101  only tombstones have none
        # What orjson returns keeps 4 KiB as long as it lives, however short it is; a slice keeps what it holds.
        return WrittenResult(record, record.value[-len(data) - 1 : -1])

    def _record(  # noqa: PLR0913, PLR0917  a tuple of them for every record is not free
        self,
        cause: Cause,
        topic: Topic,
        key: str,
        id_: str,
        kind: str,
        subject: str,
        organization: str,
        sequence: int | None,
        number: int,
        data: bytes,
    ) -> Outgoing:
        # Put together by hand: what stands between the quotes needs no escape by its very pattern (ids, labels, types
        # of ours), and encoding the whole envelope each time took a sixth of the worker's time.
        numbered = "" if sequence is None else f'"sequence":{sequence},'
        own = (
            f'{{"specversion":"{SPEC_VERSION}","id":"{id_}","type":"{kind}","subject":"{subject}",'
            f'"dataschema":"{dataschema(kind)}","organization":"{organization}",{numbered}'
            f'"commandposition":"{cause.place}/{number}",'
        )
        value = b"".join((own.encode(), cause.members, b',"data":', data, b"}"))
        return Outgoing(topic, key.encode(), value, cloud_event_headers(id_, kind, subject), cause.timestamp_ms)
