"""Other implementations as servers, with `apus connect`, and so our client library, as the client."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import websockets.asyncio.server

from aioquic_server import Peer as AioquicConnection
from aioquic_server import listening
from connect_command import EX_UNAVAILABLE, connecting, fetching, outcome
from http3_client import TIMEOUT
from peer_clients import CODE, NO_CLOSE, NODE_WS, REASON
from peers import Peer, debian_package, python_package

FOLDER = Path(__file__).parent
GTLSSERVER = "/usr/sbin/gtlsserver"
LINES = "one\ntwo\n"
# In bytes: many packets.
LARGE = 300_000


class ServerPeer(Peer):
    """What `apus connect` shows of a server that has our endpoints /echo and /close."""

    role = "server"

    def __init__(self, apus: Path, certificates: Path) -> None:
        self.apus, self.certificates = apus, certificates

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Runs the server; gives its base URL, without the path."""
        raise NotImplementedError

    def connect(self, path: str, *arguments: str, lines: str | None = None) -> tuple[int, str, str]:
        """Exit code and output of the command. Without lines its input stays open, and the end is the server's."""

        async def main() -> tuple[int, str, str]:
            async with self.serving() as url, connecting(self.apus, url + path, *arguments) as command:
                if lines is not None:
                    command.stdin.write(lines.encode())
                    command.stdin.close()
                return await outcome(command)

        return asyncio.run(main())

    def echoed(self, way: str, *arguments: str) -> None:
        code, output, errors = self.connect("/echo", *arguments, lines=LINES)
        received = output.splitlines()
        assert code == 0, errors
        # Datagrams and streams may overtake each other.
        assert sorted(line.partition("] ")[2] for line in received) == LINES.split(), (output, errors)
        assert all(line.startswith("[" + way) for line in received), output

    def fetched(self, path: str, size: int) -> None:
        """Twice, the second time in the session of the first where the server resumes one."""

        async def main() -> tuple[int, str, str]:
            async with self.serving() as url, fetching(self.apus, url + path) as command:
                return await outcome(command)

        code, output, errors = asyncio.run(main())
        assert code == 0, errors
        first, second = output.splitlines()
        assert first == f"status 200, {size} bytes, a full handshake"
        assert second.startswith(f"status 200, {size} bytes, ")


class WebTransportServerPeer(ServerPeer):
    def session(self) -> None:
        code, _, errors = self.connect("/echo", lines="")
        assert code == 0 and errors.startswith("apus: connected over WebTransport"), errors

    def bidirectional(self) -> None:
        self.echoed("stream]")

    def unidirectional(self) -> None:
        self.echoed("unidirectional", "--unidirectional")

    def datagram(self) -> None:
        self.echoed("datagram]", "--datagram")

    def close(self) -> None:
        code, _, errors = self.connect("/close")
        assert errors.splitlines()[-1] == f"apus: closed by the server with code {CODE}, {REASON}"
        assert code == 0

    def refusal(self) -> None:
        code, _, errors = self.connect("/nothing")
        assert code == EX_UNAVAILABLE and "refused the session with status 40" in errors, errors


class AioquicServer(WebTransportServerPeer):
    name = "aioquic"

    @staticmethod
    def version() -> str:
        return python_package("aioquic")

    class Endpoints(AioquicConnection):
        @property
        def status(self) -> int:
            return 200 if self.request[b":path"].removeprefix(b"/part?of=it") in (b"/echo", b"/close", b"/large") else 404

        async def plays(self, session: int) -> None:
            if self.request[b":path"].endswith(b"/close"):
                self.close_session(session, CODE, REASON.encode())
                return
            if self.request[b":path"].endswith(b"/large"):
                self.http.send_data(session, bytes(LARGE), end_stream=True)
                self.transmit()
                return
            while True:
                await self.has_datagram.wait()
                self.has_datagram.clear()
                for datagram in self.datagrams:
                    self.http.send_datagram(session, datagram)
                self.datagrams.clear()
                self.transmit()

        def answer(self, session: int, stream: int) -> None:
            back = stream if stream % 4 == 0 else self.http.create_webtransport_stream(session, is_unidirectional=True)
            self.send(back, self.streams[stream], end=True)

    def serving(self) -> AbstractAsyncContextManager[str]:
        return listening(self.Endpoints)

    def get(self) -> None:
        self.fetched("/large", LARGE)


class PyWebTransportServer(WebTransportServerPeer):
    name = "pywebtransport"
    # `apus connect` offers no limits of sessions: it needs one session.
    fails = NO_CLOSE | dict.fromkeys(
        ["bidirectional", "unidirectional"], "uses no streams without session flow control"
    )

    @staticmethod
    def version() -> str:
        return python_package("pywebtransport")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        from pywebtransport import ServerApp, ServerConfig, WebTransportSession, WebTransportStream

        port = free_port()
        app = ServerApp(config=ServerConfig(
            bind_host="127.0.0.1", bind_port=port, write_timeout=2,
            certfile=str(self.certificates / "development.pem"), keyfile=str(self.certificates / "development.key"),
        ))

        async def echo_datagrams(session: WebTransportSession) -> None:
            datagrams = await session.create_datagram_transport()
            while True:
                await datagrams.send(data=await datagrams.receive())

        @app.route(path="/echo")
        async def echo(session: WebTransportSession) -> None:
            task = asyncio.ensure_future(echo_datagrams(session))
            async for stream in session.incoming_streams():
                data = await stream.read_all()
                is_both = isinstance(stream, WebTransportStream)
                await (stream if is_both else await session.create_unidirectional_stream()).write_all(data=data)
            task.cancel()

        @app.route(path="/close")
        async def close(session: WebTransportSession) -> None:
            await session.close(code=CODE, reason=REASON, close_connection=False)

        async with app:
            await app.server.listen()
            yield f"https://127.0.0.1:{port}"


class Peregrine(WebTransportServerPeer):
    """A server in Swift, with a QUIC of its own."""

    name = "peregrine-server"
    fails = {"close": "ends the session without WT_CLOSE_SESSION, which stands for code 0"}

    @staticmethod
    def version() -> str:
        return python_package("peregrine-server")

    @asynccontextmanager
    async def serving(self, scheme: str = "https") -> AsyncIterator[str]:
        port = free_port()
        command = [
            sys.executable, "-m", "peregrine", "--host", "127.0.0.1", "--port", str(port), "--http3",
            "--tls-cert", self.certificates / "development.pem", "--tls-key", self.certificates / "development.key",
            "--python-path", FOLDER, "--log-level", "error", "peregrine_app:app",
        ]
        with running(command, cwd=self.certificates):
            await until_listening(port)
            yield f"{scheme}://127.0.0.1:{port}"

    def websocket(self) -> None:
        async def main() -> tuple[int, str, str]:
            async with self.serving("wss") as url, connecting(self.apus, url + "/echo") as command:
                command.stdin.write(LINES.encode())
                command.stdin.close()
                return await outcome(command)

        code, output, errors = asyncio.run(main())
        assert (code, output.splitlines()) == (0, [f"[text] {line}" for line in LINES.split()]), errors


class Ngtcp2Server(ServerPeer):
    """Plain HTTP/3: there is nothing to connect to, and the client says why."""

    name, package = "ngtcp2 (gtlsserver)", "ngtcp2-server"

    @staticmethod
    def version() -> str:
        return debian_package("ngtcp2-server", GTLSSERVER)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        port = free_port()
        command = [
            GTLSSERVER, "--quiet", "127.0.0.1", str(port), self.certificates / "development.key",
            self.certificates / "development.pem",
        ]
        with running(command, cwd=self.certificates):
            # There is no sign that it listens: a client's first packets may come too early, and are sent again.
            yield f"https://127.0.0.1:{port}"

    def get(self) -> None:
        (self.certificates / "large.bin").write_bytes(bytes(LARGE))
        self.fetched("/large.bin", LARGE)

    def refusal(self) -> None:
        code, _, errors = self.connect("/echo")
        assert code == EX_UNAVAILABLE and "SETTINGS lack ENABLE_CONNECT_PROTOCOL" in errors, errors


class WebSocketServerPeer(ServerPeer):
    def websocket(self) -> None:
        code, output, errors = self.connect("/echo", lines=LINES)
        assert (code, output.splitlines()) == (0, [f"[text] {line}" for line in LINES.split()]), errors

    def close(self) -> None:
        code, _, errors = self.connect("/close")
        assert (code, errors.splitlines()[-1]) == (0, f"apus: closed with code {CODE}, {REASON}"), errors


class WebsocketsServer(WebSocketServerPeer):
    name = "websockets"

    @staticmethod
    def version() -> str:
        return python_package("websockets")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async def serve(connection: websockets.asyncio.server.ServerConnection) -> None:
            if connection.request.path == "/close":
                await connection.close(CODE, REASON)
            async for message in connection:
                await connection.send(message)

        def respond(connection: websockets.asyncio.server.ServerConnection, request: object) -> object:
            return connection.respond(404, "nothing") if request.path == "/nothing" else None

        async with websockets.asyncio.server.serve(serve, "127.0.0.1", 0, process_request=respond) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def refusal(self) -> None:
        code, _, errors = self.connect("/nothing")
        assert code == EX_UNAVAILABLE and "404" in errors, errors


class NodeWsServer(WebSocketServerPeer):
    name, package = "ws (Node.js)", "node-ws"

    @staticmethod
    def version() -> str:
        return debian_package("node-ws", NODE_WS)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        script = f"""
            const server = new (require('{NODE_WS}').WebSocketServer)({{ host: '127.0.0.1', port: 0 }});
            server.on('listening', () => console.log(server.address().port));
            server.on('connection', (socket, request) => {{
              if (request.url === '/close') socket.close({CODE}, '{REASON}');
              socket.on('message', (data, isBinary) => socket.send(data, {{ binary: isBinary }}));
            }});
        """
        with running(["node", "-e", script], cwd=self.certificates, stdout=subprocess.PIPE) as process:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"


SERVERS: list[type[ServerPeer]] = [
    AioquicServer, PyWebTransportServer, Peregrine, Ngtcp2Server, WebsocketsServer, NodeWsServer,
]


def free_port() -> int:
    """One that is free for UDP and TCP, for servers that cannot be asked which one they got."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return udp.getsockname()[1]


async def until_listening(port: int) -> None:
    async with asyncio.timeout(3 * TIMEOUT):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@contextmanager
def running(command: list[object], **options: object) -> Iterator[subprocess.Popen]:
    """A process until the end of the block, then ended by its own id."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=environment, **quiet | options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
