"""Liveness, readiness and metrics over HTTP. Live: the process makes progress. Ready: it can do its work."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from worker.metrics import READY, REGISTRY
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
        app = web.Application()
        app.add_routes(
            [
                web.get("/livez", self._live),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        connections.count()

    async def start(self) -> str:
        """Listen. Returns the address, with the port that was free if 0 was asked for. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._http.host, self._http.port).start()
        host, port, *_ = self._runner.addresses[0]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _live(self, _request: web.Request) -> web.Response:
        stuck = {f"lane {lane}": why for lane, why in self._health.stuck().items()}
        body = json.dumps({"live": not stuck, "stuck": stuck})
        return web.Response(text=body + "\n", status=503 if stuck else 200, content_type="application/json")

    async def _ready(self, _request: web.Request) -> web.Response:
        missing = self._missing()
        body = json.dumps({"ready": not missing, "waitingFor": missing})
        return web.Response(text=body + "\n", status=503 if missing else 200, content_type="application/json")

    async def _metrics(self, _request: web.Request) -> web.Response:
        self._health.measure()
        READY.set(not self._missing())
        return web.Response(body=generate_latest(REGISTRY), headers={"content-type": CONTENT_TYPE_PLAIN_1_0_0})

    def _missing(self) -> dict[str, str]:
        return {**self._health.waiting_for, **self._health.unready()}
