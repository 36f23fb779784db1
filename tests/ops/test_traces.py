"""Spans as a collector receives them: of commands in their publishers' traces, of what goes out with links to them."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.attributes import cloudevents_attributes, messaging_attributes

from tests.lane.test_defects import ORGANIZATION, claim_the_next_phase, suspend
from tests.ops.collector import Collector, Seen, collecting
from tests.system.deployment import HEADERS, Around, Deployment, Record, command, ready_account
from tests.system.settling import until
from worker.failpoints import Failpoint
from worker.settings import SettingsError, load

HERE, REJECTED, UNRECORDED, BESIDE, UNREADABLE = (
    ("1" * 32, "a" * 16),
    ("2" * 32, "b" * 16),
    ("3" * 32, "c" * 16),
    ("4" * 32, "d" * 16),
    ("5" * 32, "e" * 16),
)
"""Traces and spans of publishers."""

NO_TICKS = {"LANES__TICK_SECONDS": "3000"}
ALL_LOADED = """
import asyncio, sys
from worker import app, metrics
from worker.settings import load

async def work():
    stopping = asyncio.Event()
    running = asyncio.create_task(app.run(load(), stopping))
    while not metrics.REGISTRY.get_sample_value("billing_commands_total", {"outcome": "accepted"}):
        await asyncio.sleep(0.05)
    stopping.set()
    await running

asyncio.run(work())
of_the_extra = {name for name in sys.modules if name.partition(".")[0] in {"opentelemetry", "google", "requests"}}
# FastStream looks whether this is there, an empty package.
print("LOADED", *sorted(of_the_extra - {"opentelemetry", "opentelemetry.semconv"}))
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def exporting(endpoint: str, **variables: str) -> Around:
    """Around a worker that exports its spans soon; OpenTelemetry's variables with `OTEL_` left out."""
    set_ = {"EXPORTER_OTLP_ENDPOINT": endpoint, "BSP_SCHEDULE_DELAY": "100"} | variables
    return Around(
        environment={f"OTEL_{name}": value for name, value in set_.items()} | {"BILLING_TRACES__ENABLED": "true"}
    )


def traceparent(trace: tuple[str, str], flags: str = "01") -> str:
    return f"00-{trace[0]}-{trace[1]}-{flags}"


def traced(value: bytes, trace: str, **more: str) -> bytes:
    """A command that says in which trace it was made."""
    return json.dumps(json.loads(value) | {"traceparent": trace} | more).encode()


def bind(id_: str, project: str, account: str = "main") -> bytes:
    return command("acme", "project.bind", id_, project=project, account=account)


def by_id(spans: list[Seen]) -> dict[str, Seen]:
    return {
        span.attributes["cloudevents.event_id"]: span for span in spans if "cloudevents.event_id" in span.attributes
    }


def links_of(spans: list[Seen]) -> set[tuple[str, str]]:
    return {link for span in spans for link in span.links}


async def test_a_command_is_processed_in_its_publishers_trace_and_what_it_brings_about_is_sent_with_a_link_to_it(
    deployment: Deployment, collector: Collector
) -> None:
    topics, group = deployment.settings.topics, deployment.settings.kafka.group_id
    began_ns = time.time_ns()
    beside = [("traceparent", traceparent(BESIDE).encode()), ("tracestate", b"far=1")]
    values = [
        (traced(ready_account("acme", "main"), traceparent(HERE), tracestate="near=2"), HEADERS),
        (traced(bind("refused", "web", "nobody"), traceparent(REJECTED)), HEADERS),
        (traced(bind("unrecorded", "web"), traceparent(UNRECORDED, "00")), HEADERS),
        (bind("untraced", "shop"), HEADERS),
        (bind("beside", "blog"), [*HEADERS, *beside]),
        (b"{", [*HEADERS, ("traceparent", traceparent(UNREADABLE).encode())]),
    ]
    written = await deployment.publish_records(Record(value, b"acme", headers) for value, headers in values)
    with deployment.worker(exporting(collector.endpoint, TRACES_SAMPLER="parentbased_always_off"), **NO_TICKS):
        await deployment.answers()
        processed = await collector.has(f"process {topics.commands}", 4)
        await collector.has(f"send {topics.command_results}", 1)
        events = await deployment.messages("account_events")
        bindings = await deployment.messages("binding_events")

    spans, (unreadable,) = by_id(processed), [span for span in processed if span.trace == UNREADABLE[0]]
    made = spans.pop("create-main")
    assert (made.trace, made.parent, made.links, made.tracestate) == (HERE[0], HERE[1], [HERE], "near=2")
    assert made.kind == "CONSUMER"
    assert began_ns < made.began_ns < made.ended_ns < time.time_ns()
    assert made.attributes == {
        "messaging.system": "kafka",
        "messaging.client.id": "billing-worker",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topics.commands,
        "messaging.destination.partition.id": str(written[0].partition),
        "messaging.consumer.group.name": group,
        "messaging.kafka.offset": written[0].offset,
        "messaging.kafka.message.key": "acme",
        "cloudevents.event_id": "create-main",
        "cloudevents.event_type": "billing.account.create.v1",
        "billing.outcome": "accepted",
    }
    assert not made.is_error
    assert made.resource["service.name"] == "billing-worker"
    assert made.resource["service.instance.id"]
    assert made.schema.startswith("https://opentelemetry.io/schemas/1.")
    assert (spans["refused"].parent, spans["refused"].attributes["billing.outcome"]) == (REJECTED[1], "rejected")
    assert not spans.pop("refused").is_error
    assert (spans["beside"].trace, spans.pop("beside").tracestate) == (BESIDE[0], "far=1")
    assert (unreadable.is_error, unreadable.attributes["error.type"]) == (True, "NOT_JSON")
    assert spans == {}

    assert {event.get("traceparent") for event in events} == {traceparent(HERE)}
    carried = {event["causationid"]: event.get("traceparent") for event in bindings}
    assert carried == {"unrecorded": traceparent(UNRECORDED, "00"), "untraced": None, "beside": None}
    assert links_of(collector.named(f"send {topics.account_events}")) == {HERE}
    assert links_of(collector.named(f"send {topics.command_results}")) == {HERE, REJECTED}
    assert collector.named(f"send {topics.binding_events}") == []
    sent = collector.named(f"send {topics.account_events}")[0]
    assert (sent.kind, sent.parent) == ("CLIENT", "")
    assert sent.trace not in {trace for trace, _ in (HERE, REJECTED, UNRECORDED, BESIDE)}
    assert sent.attributes == {
        "messaging.system": "kafka",
        "messaging.client.id": "billing-worker",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topics.account_events,
        "messaging.batch.message_count": len(events),
        "billing.lane": written[0].partition,
    }
    names = {name for span in collector.spans for name in span.attributes}
    assert {name for name in names if not name.startswith(("billing.", "error."))} <= names_in_force()


def names_in_force() -> set[str]:
    """The attributes that the conventions know as installed, but for those that they have given up."""
    names: set[str] = set()
    for module in (messaging_attributes, cloudevents_attributes):
        for name, said in re.findall(
            r'^[A-Z_]+: Final = "([a-z_.]+)"\n"""(.*?)"""', getsource(module), re.MULTILINE | re.DOTALL
        ):
            if not said.strip().startswith("Deprecated"):
                names.add(name)
    return names


def test_the_conventions_have_given_up_what_the_worker_does_not_use() -> None:
    assert "messaging.kafka.offset" in names_in_force()
    assert "messaging.kafka.message.offset" not in names_in_force()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "place", [Failpoint.AFTER_COMMIT, pytest.param(Failpoint.INSIDE_TRANSACTION, marks=pytest.mark.slow)]
)
async def test_what_a_killed_worker_had_not_published_is_sent_by_its_heir_with_the_commands_trace(
    deployment: Deployment, collector: Collector, place: Failpoint
) -> None:
    topics = deployment.settings.topics
    (written,) = await deployment.publish("acme", traced(ready_account("acme", "main"), traceparent(HERE)))
    dying = exporting(collector.endpoint, SERVICE_NAME="first")
    with deployment.worker(dying, TESTING__FAILPOINTS=f'{{"{place}": "kill@1"}}', **NO_TICKS) as first:
        assert await asyncio.to_thread(first.died) == -signal.SIGKILL
    assert await deployment.messages("account_events") == []
    with deployment.worker(exporting(collector.endpoint, SERVICE_NAME="heir"), **NO_TICKS):
        await deployment.answers()
        for topic in (topics.account_events, topics.command_results, topics.accounts):
            (sent,) = await collector.has(f"send {topic}", 1)
            assert (sent.resource["service.name"], sent.links, sent.is_error) == ("heir", [HERE], False)
        events = await deployment.read("account_events")
        kept = await deployment.rows(
            f"SELECT value FROM journal_{written.partition} WHERE topic = 'account-events' ORDER BY index"  # noqa: S608
        )

    assert [event.value for event in events] == [value for (value,) in kept]
    assert {json.loads(event.value)["traceparent"] for event in events} == {traceparent(HERE)}
    assert [
        span for span in collector.named(f"process {topics.commands}") if span.resource["service.name"] == "heir"
    ] == []


@pytest.mark.timeout(240)
async def test_an_attempt_that_fails_has_a_span_with_the_error_and_the_next_one_another(
    deployment: Deployment, collector: Collector
) -> None:
    topics = deployment.settings.topics
    failing = f'{{"{Failpoint.BEFORE_COMMIT}": "raise", "{Failpoint.INSIDE_TRANSACTION}": "raise"}}'
    await deployment.publish("acme", ready_account("acme", "main"))
    with deployment.worker(exporting(collector.endpoint), TESTING__FAILPOINTS=failing, **NO_TICKS):
        await deployment.answers()
        processed = await collector.has(f"process {topics.commands}", 2)
        sent = await collector.has(f"send {topics.command_results}", 2)

    for failed, done in (processed, sent):
        assert (failed.is_error, failed.attributes["error.type"]) == (True, "InjectedError")
        assert (done.is_error, "error.type" in done.attributes) == (False, False)
        assert failed.ended_ns <= done.began_ns + 1_000_000
    assert "billing.outcome" not in processed[0].attributes
    assert {span.parent for span in collector.spans} == {""}
    assert links_of(collector.spans) == set()


async def test_the_command_that_is_a_defect_has_the_error_and_those_around_it_have_none(
    deployment: Deployment, collector: Collector
) -> None:
    accounts = ["sound", "broken", "other"]
    with deployment.worker(exporting(collector.endpoint), **NO_TICKS):
        await deployment.publish(ORGANIZATION, *(ready_account(ORGANIZATION, account) for account in accounts))
        await deployment.answers()
        await claim_the_next_phase(deployment)
        await deployment.publish(ORGANIZATION, *(suspend(account) for account in accounts))
        deployment.sent += 1  # a copy in dead letters, beside the answer
        await deployment.answers()

        async def are_all_told() -> bool:
            return len(outcomes_of(collector)) == 2 * len(accounts)

        await until(are_all_told, "a span for each command that was decided")

    assert {id_: told for id_, told in outcomes_of(collector).items() if id_.startswith("suspend")} == {
        "suspend-sound": ("accepted", None),
        "suspend-broken": ("rejected", "INTERNAL_ERROR"),
        "suspend-other": ("accepted", None),
    }


def outcomes_of(collector: Collector) -> dict[str, tuple[str, str | None]]:
    """Of each command, by its id: its outcome and what went wrong."""
    return {
        id_: (span.attributes["billing.outcome"], span.attributes.get("error.type"))
        for id_, span in by_id([span for span in collector.spans if "billing.outcome" in span.attributes]).items()
    }


@pytest.mark.parametrize("collector_is", ["silent", "absent"])
async def test_no_lane_waits_for_a_collector_and_neither_does_the_end(
    deployment: Deployment, collector: Collector, collector_is: str
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        collector.answering.clear()
        absent = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        around = exporting(
            absent if collector_is == "absent" else collector.endpoint,
            EXPORTER_OTLP_TIMEOUT="600",
            BSP_MAX_QUEUE_SIZE="20",
            BSP_MAX_EXPORT_BATCH_SIZE="5",
        )
        with deployment.worker(around) as worker:
            await deployment.publish("acme", ready_account("acme", "main"))
            await deployment.answers()
            for round_ in range(5):
                await deployment.publish("acme", *(bind(f"b-{round_}-{number}", f"p-{number}") for number in range(40)))
                await deployment.answers()
            assert worker.readiness()[0]
            if collector_is == "silent":
                assert collector.asked == 1
            worker.send(signal.SIGTERM)
            assert await asyncio.to_thread(worker.died, 30) == 0

    assert collector.spans == []


async def test_spans_that_a_collector_refuses_are_told_of_once_and_so_is_that_it_takes_them_again(
    deployment: Deployment, collector: Collector
) -> None:
    collector.status = HTTPStatus.BAD_REQUEST
    with deployment.worker(exporting(collector.endpoint), **NO_TICKS) as worker:
        await deployment.publish("acme", ready_account("acme", "main"))

        async def were_refused(count: int) -> bool:
            return collector.asked >= count

        await until(lambda: were_refused(1), "spans were refused")
        await deployment.publish("acme", bind("b-1", "web"))
        await until(lambda: were_refused(2), "spans were refused again")
        collector.status = HTTPStatus.OK
        await deployment.publish("acme", bind("b-2", "web"))
        await collector.has(f"process {deployment.settings.topics.commands}", 1)

        async def is_told() -> bool:
            return worker.said("spans_exported_again") != []

        await until(is_told, "it is told that spans are exported again")
        (refused,), (again,) = worker.said("spans_not_exported"), worker.said("spans_exported_again")

    assert "400" in refused["cause"]
    assert again["lost"] > 1


@pytest.mark.parametrize("off", [{"BILLING_TRACES__ENABLED": "false"}, {"OTEL_SDK_DISABLED": "TRUE"}])
async def test_a_worker_without_traces_loads_nothing_of_opentelemetry_and_asks_no_collector(
    deployment: Deployment, collector: Collector, off: dict[str, str]
) -> None:
    await deployment.publish("acme", traced(ready_account("acme", "main"), traceparent(HERE)))
    around = exporting(collector.endpoint, BSP_SCHEDULE_DELAY="10").environment | off

    assert await asyncio.to_thread(loaded_by, deployment, around) == []
    assert collector.asked == 0


def loaded_by(deployment: Deployment, environment: dict[str, str]) -> list[str]:
    """Which modules of the extra a worker has loaded once it has decided something."""
    ran = subprocess.run(
        [sys.executable, "-c", ALL_LOADED],
        env={"PATH": "", **deployment.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, *loaded = ran.stdout.splitlines()[-1].split()
    assert said == "LOADED"
    return loaded


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: zipkin is not spoken"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken: set http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}, "names another machine, and http lets"),
    ],
)
def test_what_does_not_go_with_exporting_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    load()
    monkeypatch.setenv("BILLING_TRACES__ENABLED", "true")

    with pytest.raises(SettingsError, match=said):
        load()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert not load().traces.is_exporting


def test_traces_that_cannot_be_had_are_refused_and_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_TRACES__ENABLED", "true")
    assert load().traces.is_exporting
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if not (Path(path) / "opentelemetry").exists()])

    with pytest.raises(SettingsError, match=r"pip install 'billing-worker\[traces\]'"):
        load()
