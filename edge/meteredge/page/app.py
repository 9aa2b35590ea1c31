"""The page's routes: everything is GET, nothing takes input, nothing is changed.

/            the page            /events   server-sent events, one for each new snapshot
/status.json the same as data    /metrics  for Prometheus
/healthz     200 or 503, with the reasons as JSON
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from meteredge.page import html
from meteredge.page.metrics import exposition
from meteredge.page.running import Board
from meteredge.page.snapshot import document

WATCHERS = 16
"""So many may watch at once; a node is small."""
_LOOK_S = 1.0


def app(board: Board, leaving: Callable[[], bool]) -> Starlette:
    """The application.  `leaving` says that the process was told to stop: watchers are sent home."""
    watching: set[object] = set()
    headers = {
        "Content-Security-Policy": html.policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }

    async def page(_request: Request) -> Response:
        return HTMLResponse(html.page(await run_in_threadpool(board.snapshot)), headers=headers)

    async def events(_request: Request) -> Response:
        if len(watching) >= WATCHERS:
            return PlainTextResponse("too many watch already; reload later", 503, {"Retry-After": "60"})
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def stream() -> AsyncIterator[str]:
        mark, shown = object(), -1
        watching.add(mark)
        try:
            while not leaving():
                if board.number != shown:
                    shown = board.number
                    yield f"data: {json.dumps(html.main(await run_in_threadpool(board.snapshot)))}\n\n"
                await asyncio.sleep(_LOOK_S)
        finally:
            watching.discard(mark)

    async def status(_request: Request) -> Response:
        return JSONResponse(document(await run_in_threadpool(board.snapshot)), headers=headers)

    async def metrics(_request: Request) -> Response:
        text = exposition(await run_in_threadpool(board.snapshot))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers=headers)

    async def health(_request: Request) -> Response:
        problems = (await run_in_threadpool(board.snapshot)).problems
        body = {"healthy": not problems, "problems": list(problems)}
        return JSONResponse(body, 503 if problems else 200, headers=headers)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/events", events),
            Route("/status.json", status),
            Route("/metrics", metrics),
            Route("/healthz", health),
        ]
    )
