"""The harness's end of the control connection of the page that measures, and an echo endpoint that misbehaves."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import websockets
from websockets.sync.server import Server, ServerConnection, serve

# A net: what is waited for comes at once, on a loaded machine later.
TIMEOUT = 60.0


@contextmanager
def served(handler: Callable[[ServerConnection], None], **options: object) -> Iterator[str]:
    """A WebSocket server for the time of a test; gives its address. Ending it ends all its connections."""
    with serve(handler, "127.0.0.1", 0, max_size=None, close_timeout=1, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address(server)
        server.shutdown()
        thread.join()


def address(server: Server) -> str:
    return "ws://127.0.0.1:%d" % server.socket.getsockname()[1]


class Harness:
    """One page that is connected."""

    def __init__(self, driver: object, connection: ServerConnection) -> None:
        self.driver = driver
        self._connection = connection
        self._last = 0
        self.hello = self.receive()["hello"]

    def send(self, command: str, **parameters: object) -> int:
        self._last += 1
        self.send_text(json.dumps({"id": self._last, "command": command, **parameters}))
        return self._last

    def send_text(self, text: str) -> None:
        self._connection.send(text)

    def receive(self) -> dict:
        return json.loads(self._connection.recv(TIMEOUT))

    def result(self, command: str, **parameters: object) -> dict:
        answer = self._answer(self.send(command, **parameters))
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def error(self, command: str, **parameters: object) -> tuple[str, str]:
        return self.error_of(self.send(command, **parameters))

    def error_of(self, number: int) -> tuple[str, str]:
        answer = self._answer(number)
        assert set(answer) == {"id", "error"}
        return answer["error"]["kind"], answer["error"]["message"]

    def _answer(self, number: int) -> dict:
        answer = self.receive()
        assert answer["id"] == number
        return answer

    def leave(self) -> None:
        self._connection.close()


@contextmanager
def connected(driver: object, page: str) -> Iterator[Harness]:
    """Opens the page, which connects."""
    arrived: queue.Queue[ServerConnection] = queue.Queue()

    def keep(connection: ServerConnection) -> None:
        arrived.put(connection)
        over.wait()

    over = threading.Event()
    with served(keep) as control:
        try:
            # Another document each time: a change of the fragment alone loads nothing.
            driver.get("about:blank")
            driver.get(f"{page}lab/measure.html#{urlencode({'control': control + '/'})}")
            yield Harness(driver, arrived.get(timeout=TIMEOUT))
        finally:
            over.set()


class Echo:
    """Echoes until a message of that number, to which it does something else."""

    def __init__(self, number: int, act: Callable[[ServerConnection, bytes], None] = lambda *_: None) -> None:
        self._number = number
        self._act = act
        self.reached = threading.Event()
        self.left = threading.Event()

    def __call__(self, connection: ServerConnection) -> None:
        try:
            for number, message in enumerate(connection, 1):
                if number == self._number:
                    self.reached.set()
                    self._act(connection, message)
                else:
                    connection.send(message)
        except websockets.ConnectionClosed:
            pass
        self.left.set()


def damaged(connection: ServerConnection, message: bytes) -> None:
    connection.send(message[:-1] + bytes([message[-1] ^ 1]))


def shortened(connection: ServerConnection, message: bytes) -> None:
    connection.send(message[:-1])


def as_text(connection: ServerConnection, message: bytes) -> None:
    connection.send("text")


def close(connection: ServerConnection, _: bytes) -> None:
    connection.close(3007)
