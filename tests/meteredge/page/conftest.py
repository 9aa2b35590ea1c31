"""A page as it is served: the real application behind a real socket, in a thread."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn

from meteredge.page.app import app
from meteredge.page.running import Board

Serve = Callable[[Board], str]


@contextmanager
def served(board: Board) -> Iterator[str]:
    """The page's address; the board is kept fresh meanwhile."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # who comes before the server is up waits
    server = uvicorn.Server(
        uvicorn.Config(app(board, lambda: server.should_exit), log_level="critical", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(board)`: its address, until the test ends."""
    with ExitStack() as stack:
        yield lambda board: stack.enter_context(served(board))
