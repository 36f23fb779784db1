"""Liveness, readiness and metrics over HTTP. Live: the process makes progress. Ready: it can do its work."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from worker.metrics import READY, REGISTRY
from worker.ops.pages import Page, Pages
from worker.settings import Http
from worker.store import connections


@dataclass(slots=True)
class Health:
    """What is asked of the worker: why it cannot do its work, by part, and what only a new process would heal.

    Ready when nothing is waited for, live when nothing is stuck. Others being away makes a worker unready, not dead.
    """

    waiting_for: dict[str, str] = field(default_factory=dict)
    unready: Callable[[], Mapping[str, str]] = dict
    stuck: Callable[[], Mapping[int, str]] = dict
    measure: Callable[[], None] = lambda: None


class HealthServer:
    """Serves `/livez`, `/readyz` and `/metrics`."""

    def __init__(self, http: Http, health: Health) -> None:
        self._http = http
        self._health = health
        self._pages = Pages({"/livez": self._live, "/readyz": self._ready, "/metrics": self._metrics})
        connections.count()

    async def start(self) -> str:
        """Listen. Returns the address, with the port that was free if 0 was asked for. Raises OSError."""
        host, port = await self._pages.start(self._http.host, self._http.port)
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Listen no more."""
        await self._pages.stop()

    def _live(self) -> Page:
        stuck = {f"lane {lane}": why for lane, why in self._health.stuck().items()}
        return _page({"live": not stuck, "stuck": stuck}, is_well=not stuck)

    def _ready(self) -> Page:
        missing = self._missing()
        return _page({"ready": not missing, "waitingFor": missing}, is_well=not missing)

    def _metrics(self) -> Page:
        self._health.measure()
        READY.set(not self._missing())
        return Page(generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_1_0_0)

    def _missing(self) -> dict[str, str]:
        return {**self._health.waiting_for, **self._health.unready()}


def _page(told: Mapping[str, object], *, is_well: bool) -> Page:
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(f"{json.dumps(told)}\n".encode(), "application/json; charset=utf-8", status)
