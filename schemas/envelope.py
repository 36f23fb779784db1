"""The CloudEvents 1.0 envelope: attributes of commands as they come, of everything else as it is written."""

import re
from typing import Annotated, Final, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from schemas.instants import Instant, WrittenInstant
from schemas.message import Maybe, Message
from schemas.values import DNS_LABEL_PATTERN, SAFE_INTEGER_MAX, WRITTEN_UUID_PATTERN, Actor, OrganizationId, Sequence

SPEC_VERSION: Final = "1.0"
STRUCTURED_CONTENT_TYPE: Final = "application/cloudevents+json"
DATA_CONTENT_TYPE: Final = "application/json"
COMMAND_BYTES_MAX: Final = 512 * 1024
ACTOR_CHARACTERS_MAX: Final = 200
CORRELATION_ID_CHARACTERS_MAX: Final = 256
TRACESTATE_CHARACTERS_MAX: Final = 512
EXPECTED_VERSION_MAX: Final = SAFE_INTEGER_MAX
SYSTEM_ACTOR: Final = "system:billing-worker"
"""The actor of what the worker does by itself."""

COMMAND_ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
COMMAND_ID: Final = re.compile(COMMAND_ID_PATTERN)  # for fullmatch: `$` alone lets a line end pass
ORGANIZATION: Final = re.compile(DNS_LABEL_PATTERN)
TRACEPARENT_PATTERN: Final = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_DATASCHEMA_PREFIX: Final = "urn:billing-worker:schema:"

CommandId = Annotated[
    str, StringConstraints(pattern=COMMAND_ID_PATTERN), Field(description="Used once in its organization.")
]
WrittenId = Annotated[
    str,
    StringConstraints(pattern=WRITTEN_UUID_PATTERN),
    Field(description="The same whenever the same log is decided again.", json_schema_extra={"format": "uuid"}),
]
Traceparent = Annotated[str, StringConstraints(pattern=TRACEPARENT_PATTERN), Field(description="W3C Trace Context.")]
CorrelationId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CORRELATION_ID_CHARACTERS_MAX),
    Field(description="What belongs together; by default the id of the command."),
]


def dataschema(kind: str) -> str:
    """Name the schema of the data of a message type; a name, not an address."""
    return _DATASCHEMA_PREFIX + kind


class CommandEnvelope(Message):
    """A command as publishers send it in structured mode. Attributes that are not named here are ignored.

    For publishers and their tests: the worker reads attribute by attribute, because a bad one may mean a dead
    letter, a rejection, or nothing, depending on which.
    """

    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    id: CommandId
    source: Annotated[str, StringConstraints(min_length=1), Field(description="Who sends; informative.")]
    type: Annotated[str, Field(description="billing.<word>.v1")]
    organization: OrganizationId
    actor: Maybe[Actor] = None
    time: Annotated[Maybe[Instant], Field(description="Informative: effects have the instant of the log.")] = None
    subject: Maybe[str] = None
    correlationid: Maybe[CorrelationId] = None
    traceparent: Maybe[Traceparent] = None
    tracestate: Maybe[Annotated[str, StringConstraints(max_length=TRACESTATE_CHARACTERS_MAX)]] = None
    expectedversion: Annotated[
        Maybe[Annotated[int, Field(ge=0, le=EXPECTED_VERSION_MAX)]],
        Field(description="The sequence of the account's last event that the publisher has seen; 0 for none."),
    ] = None
    dryrun: Annotated[Maybe[bool], Field(description="True: answer what would happen, and change nothing.")] = None
    datacontenttype: Maybe[str] = None
    data: dict[str, JsonValue]


D_co = TypeVar("D_co", bound=Message, covariant=True)


class WrittenEnvelope(Message, Generic[D_co]):
    """What everything that the worker writes has in common."""

    specversion: Literal["1.0"]
    id: WrittenId
    source: Annotated[str, StringConstraints(min_length=1), Field(description="The installation; a setting.")]
    type: str
    subject: Annotated[
        str,
        Field(
            description="accounts/<organization>/<account>, projects/<organization>/<project>, "
            "commands/<organization>/<id> or lanes/<topic>/<partition>."
        ),
    ]
    time: Annotated[WrittenInstant, Field(description="The instant of effect.")]
    datacontenttype: Literal["application/json"]
    dataschema: Annotated[str, StringConstraints(pattern=r"^urn:billing-worker:schema:billing\.[a-z.-]+\.v[0-9]+$")]
    data: D_co


class HorizonEnvelope(WrittenEnvelope[D_co], Generic[D_co]):
    """Around a horizon: it belongs to a partition, not to an organization or a command."""


class ResultEnvelope(WrittenEnvelope[D_co], Generic[D_co]):
    """Around a result: caused by a command, without a sequence."""

    organization: OrganizationId
    actor: Annotated[Maybe[Actor], Field(description="As in the command.")] = None
    causationid: Annotated[CommandId, Field(description="The command or tick that caused it.")]
    correlationid: CorrelationId
    commandposition: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}(/[0-9]{1,19}){3}$"),
        Field(description="Where the command stands, and which of its outputs this is: topic/partition/offset/index."),
    ]
    traceparent: Maybe[Traceparent] = None


class EventEnvelope(ResultEnvelope[D_co], Generic[D_co]):
    """Around an event or a state: in the order of its subject.

    Take an event whose sequence is the last one plus one; drop it if it is not above; else there is a gap: load the
    compacted topic. Take a state whose sequence is not below yours.
    """

    sequence: Sequence
