"""From an open input to commands in the topic, and to their answers."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from aiokafka import AIOKafkaProducer

from schemas.envelope import STRUCTURED_CONTENT_TYPE
from worker.cli.console import err
from worker.cli.publishing.answers import Answer, Answers, is_refusal
from worker.cli.publishing.batches import Batches, Complete, as_they_come, checked
from worker.cli.publishing.placing import declared_partitions, partitions_by_topic
from worker.cli.publishing.sending import Sender, batch_records_for
from worker.cli.reach import consumer, fail_without, producer
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """What to publish and how. `wait_seconds` None does not wait for answers."""

    stream: BinaryIO
    complete: Complete
    is_raw: bool
    is_checked: bool
    rate: float | None
    wait_seconds: float | None


@dataclass(slots=True)
class Report:
    """What became of it. Filled while it goes on, so that an end by error or Ctrl-C can be told as well."""

    sent: int = 0
    seconds: float = 0.0
    refused: int = 0
    missing: int = 0

    def note(self, answer: Answer) -> None:
        """Count an answer."""
        self.refused += is_refusal(answer)


async def carry_out(settings: Settings, order: Order, report: Report, on_answer: Callable[[Answer], None]) -> None:
    """Publish. Raises BadLines: with `is_checked` before anything was sent."""
    records_max = batch_records_for(order.rate)
    if not order.is_checked:
        batches = as_they_come(order.stream, order.complete, records_max, keep_empty=order.is_raw)
        await _send(settings, order, report, on_answer, batches, total=None)
        return
    with checked(order.stream, order.complete, keep_empty=order.is_raw) as aside:
        await _send(settings, order, report, on_answer, aside.batches(records_max), total=aside.count)


async def _send(
    settings: Settings,
    order: Order,
    report: Report,
    on_answer: Callable[[Answer], None],
    batches: Batches,
    *,
    total: int | None,
) -> None:
    present = await partitions_by_topic(settings)
    partitions = await declared_partitions(settings, present)
    async with AsyncExitStack() as stack:
        answers = None
        if order.wait_seconds is not None:
            reader = await stack.enter_async_context(consumer(settings.kafka))
            answers = Answers(reader, on_answer)
            results = settings.topics.command_results
            if results not in present:  # nobody would hear of the answers
                await fail_without(settings.kafka, [results])
            await answers.start(results, present[results])
            batches = answers.expecting(batches)
        writer = await stack.enter_async_context(producer(settings.kafka))
        reading = asyncio.create_task(answers.read(order.wait_seconds or 0)) if answers else None
        try:
            await _hand_in(settings, order, report, writer, partitions, batches, total)
            if answers and reading:
                await reading
                report.missing = answers.missing
        finally:
            if reading:
                reading.cancel()
                await asyncio.wait({reading})


async def _hand_in(
    settings: Settings,
    order: Order,
    report: Report,
    writer: AIOKafkaProducer,
    partitions: int,
    batches: Batches,
    total: int | None,
) -> None:
    headers = [] if order.is_raw else [("content-type", STRUCTURED_CONTENT_TYPE.encode())]
    sender = Sender(writer, settings.topics.commands, partitions, headers)
    begun = time.monotonic()

    with _progress(total, is_shown=order.wait_seconds is None) as advance:

        def on_sent(count: int) -> None:
            report.sent += count
            report.seconds = time.monotonic() - begun
            advance(count)

        await sender.send(batches, rate=order.rate, on_sent=on_sent)


@contextmanager
def _progress(total: int | None, *, is_shown: bool) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal; answers are progress enough where they are waited for."""
    if not (is_shown and err.is_terminal):
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415 - slow

    with Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
