"""Three addresses for whoever runs Baton: /healthz, /readyz and /metrics. They need no token, and show no
data of people; the guard answers this machine only."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from streams.web.figures import FiguresOf
from streams.web.metrics import registry_of
from streams.worker.lag_log import BEHIND_FROM
from streams.worker.meters import Meters

# Kafka is asked every few seconds where its log ends. After so long without an answer nobody knows the lag.
KAFKA_SECONDS = 30.0


def operator_routes(meters: Meters, figures: FiguresOf) -> list[Route]:
    """The routes, over what the worker counts and what it is asked."""
    registry = registry_of(meters, figures, time.time())

    async def healthz(request: Request) -> Response:
        """The process answers. Nothing else is looked at: a restart would not cure it."""
        return PlainTextResponse("ok\n")

    def readyz(request: Request) -> Response:
        """200 when the numbers may be relied on, else 503 with the reasons."""
        answer = readiness(meters, figures)
        return JSONResponse(answer, 200 if answer["is_ready"] else 503)

    def metrics(request: Request) -> Response:
        """In Prometheus' text format."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def readiness(meters: Meters, figures: FiguresOf) -> dict[str, Any]:
    """Whether the read models stand and follow the log; else why not. lag: in records."""
    now, seen = figures.now(), meters.progress.seen
    lag, ago = sum(seen.lag().values()), time.time() - seen.at
    why = []
    if now.refreshed_at is None:
        why.append(f"the read models do not stand yet{''.join(f'; {problem}' for problem in now.problems)}")
    if not seen.at:
        why.append("the log has not been looked at yet")
    elif ago > KAFKA_SECONDS:
        why.append(f"Kafka has not answered for {ago:.0f} s")
    if lag >= BEHIND_FROM:
        why.append(f"{lag:,} records wait in Kafka")
    return {"is_ready": not why, "lag": lag, "not_in_read_models": now.unread, "why": why}
