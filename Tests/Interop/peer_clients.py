"""Other implementations as clients of our server."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import websockets

from http3_client import TIMEOUT, Client, client, echo_datagrams, echo_stream
from peers import Peer, debian_package, python_package
from server import Server

WT_CLOSE_SESSION = 0x2843
CODE, REASON = 4242, "bye"
DATA = b"there and back" * 1000

# The server offers it together with several sessions on a connection.
SESSION_FLOW_CONTROL = ("--sessions-per-connection", "3")

NODE_WS = "/usr/share/nodejs/ws"


async def expect_close(server: Server, token: str) -> None:
    """The server has seen the session under /test/record end as it should."""
    async with client(server) as protocol:
        await protocol.session(f"/test/query?token={token}&session=1")
        await protocol.until(lambda: any(stream in protocol.ended for stream in protocol.streams))
        (noted,) = (json.loads(data) for stream, data in protocol.streams.items() if stream in protocol.ended)
    assert noted["end"] == {"code": CODE, "isAbnormal": False, "reason": REASON}


class Aioquic(Peer):
    name, role = "aioquic", "client"

    @staticmethod
    def version() -> str:
        return python_package("aioquic")

    def get(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            assert (await protocol.request("GET", "/healthz")).body == b"ok"

        self._connect(server, body)

    def session(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            session = await protocol.session("/echo")
            assert protocol.answers[session].status == 200

        self._connect(server, body)

    def bidirectional(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            await echo_stream(protocol, await protocol.session("/echo"), 100_000)

        self._connect(server, body)

    def unidirectional(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            protocol.open(await protocol.session("/echo"), DATA, end=True, is_unidirectional=True)
            await protocol.until(lambda: DATA in protocol.streams.values())

        self._connect(server, body)

    def datagram(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            await echo_datagrams(protocol, await protocol.session("/echo"), 10)

        self._connect(server, body)

    def close(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            session = await protocol.session(f"/close?code={CODE}&reason={REASON}")
            await protocol.until(lambda: session in protocol.ended)
            assert protocol.answers[session].capsules == [(WT_CLOSE_SESSION, CODE.to_bytes(4) + REASON.encode())]
            session = await protocol.session("/test/record?token=aioquic")
            protocol.send_capsule(session, WT_CLOSE_SESSION, CODE.to_bytes(4) + REASON.encode(), end=True)
            await protocol.until(lambda: session in protocol.ended)
            await expect_close(server, "aioquic")

        self._connect(server, body)

    def refusal(self, server: Server) -> None:
        async def body(protocol: Client) -> None:
            session = await protocol.session("/nothing")
            assert protocol.answers[session].status == 404

        self._connect(server, body)

    def _connect(self, server: Server, body: Callable[[Client], Awaitable[None]]) -> None:
        async def main() -> None:
            async with client(server) as protocol:
                await body(protocol)

        asyncio.run(main())


# Of its version 0.8.1, the last one for Python 3.11.
NO_CLOSE = {"close": "sends WT_CLOSE_SESSION outside of DATA frames, where it is an unknown frame of HTTP/3"}


class PyWebTransport(Peer):
    """Its QUIC is aioquic's; HTTP/3 and WebTransport are its own."""

    name, role = "pywebtransport", "client"
    fails = NO_CLOSE
    # It uses no streams without session flow control.
    serve_options = SESSION_FLOW_CONTROL

    @staticmethod
    def version() -> str:
        return python_package("pywebtransport")

    def session(self, server: Server) -> None:
        async def main() -> None:
            async with self._session(server, "/echo") as session:
                assert session.is_ready

        asyncio.run(main())

    def bidirectional(self, server: Server) -> None:
        async def main() -> None:
            async with self._session(server, "/echo") as session:
                stream = await session.create_bidirectional_stream(timeout=2)
                await stream.write_all(data=DATA)
                assert await stream.read_all() == DATA

        asyncio.run(main())

    def unidirectional(self, server: Server) -> None:
        async def main() -> None:
            async with self._session(server, "/echo") as session:
                stream = await session.create_unidirectional_stream(timeout=2)
                await stream.write_all(data=DATA)
                async for incoming in session.incoming_streams():
                    assert await incoming.read_all() == DATA
                    break

        asyncio.run(main())

    def datagram(self, server: Server) -> None:
        async def main() -> None:
            async with self._session(server, "/echo") as session:
                datagrams = await session.create_datagram_transport()
                await datagrams.send(data=b"datagram")
                assert await datagrams.receive(timeout=TIMEOUT) == b"datagram"

        asyncio.run(main())

    def close(self, server: Server) -> None:
        async def main() -> None:
            async with self._session(server, "/test/record?token=pywebtransport") as session:
                await session.close(code=CODE, reason=REASON, close_connection=False)
                await expect_close(server, "pywebtransport")

        asyncio.run(main())

    def refusal(self, server: Server) -> None:
        from pywebtransport.exceptions import ClientError

        async def main() -> None:
            try:
                async with self._session(server, "/nothing"):
                    raise AssertionError("a session where there is nothing")
            except ClientError as error:
                assert "HTTP status 404" in str(error)

        asyncio.run(main())

    @asynccontextmanager
    async def _session(self, server: Server, path: str) -> AsyncIterator[object]:
        from pywebtransport import ClientConfig, WebTransportClient

        async with (
            asyncio.timeout(3 * TIMEOUT),
            WebTransportClient(config=ClientConfig(verify_mode=ssl.CERT_NONE)) as pywebtransport,
        ):
            yield await pywebtransport.connect(url=f"https://127.0.0.1:{server.port}{path}", timeout=TIMEOUT)


class Ngtcp2(Peer):
    """Of the same libraries as our server, driven by their own authors' program."""

    name, role, package = "ngtcp2 (gtlsclient)", "client", "ngtcp2-client"

    @staticmethod
    def version() -> str:
        return debian_package("ngtcp2-client", "gtlsclient")

    def get(self, server: Server) -> None:
        result = subprocess.run(
            ["gtlsclient", "--no-quic-dump", "--exit-on-all-streams-close", "127.0.0.1", str(server.port),
             f"https://localhost:{server.port}/healthz"],
            capture_output=True, text=True, timeout=3 * TIMEOUT, check=True,
        )
        shown = result.stdout + result.stderr
        assert "[:status: 200]" in shown and "\n00000000  6f 6b  " in shown, shown


class Curl(Peer):
    name, role, package = "curl", "client (HTTP/2)", "curl"

    @staticmethod
    def version() -> str:
        return debian_package("curl", "curl")

    def get(self, server: Server) -> None:
        result = subprocess.run(
            ["curl", "--silent", "--show-error", "--insecure", "--write-out", " over HTTP/%{http_version}",
             server.https("/healthz")],
            capture_output=True, text=True, timeout=3 * TIMEOUT, check=True,
        )
        assert result.stdout == "ok over HTTP/2"


class Websockets(Peer):
    name, role = "websockets", "client"

    @staticmethod
    def version() -> str:
        return python_package("websockets")

    def websocket(self, server: Server) -> None:
        async def main() -> None:
            context = ssl._create_unverified_context()  # noqa: S323: its hash is checked elsewhere
            async with websockets.connect(f"wss://localhost:{server.port}/echo", ssl=context) as socket:
                for message in ("text", b"bytes", "", "x" * 100_000):
                    await socket.send(message)
                    assert await socket.recv() == message

        asyncio.run(main())

    def close(self, server: Server) -> None:
        async def main() -> None:
            async with websockets.connect(server.ws(f"/close?code={CODE}&reason={REASON}")) as socket:
                await socket.wait_closed()
                assert (socket.close_code, socket.close_reason) == (CODE, REASON)

        asyncio.run(main())

    def refusal(self, server: Server) -> None:
        async def main() -> None:
            try:
                async with websockets.connect(server.ws("/nothing")):
                    raise AssertionError("a session where there is nothing")
            except websockets.InvalidStatus as error:
                assert error.response.status_code == 404

        asyncio.run(main())


class NodeWs(Peer):
    name, role, package = "ws (Node.js)", "client", "node-ws"

    @staticmethod
    def version() -> str:
        return debian_package("node-ws", NODE_WS)

    def websocket(self, server: Server) -> None:
        assert node("""
            const socket = new WebSocket(process.argv[1], { rejectUnauthorized: false });
            socket.on("open", () => { socket.send("text"); socket.send(Buffer.from("bytes")); });
            const seen = [];
            socket.on("message", (data, isBinary) => {
              seen.push([data.toString(), isBinary]);
              if (seen.length == 2) socket.close();
            });
            socket.on("close", () => console.log(JSON.stringify(seen)));
        """, server.https("/echo").replace("https", "wss")) == [["text", False], ["bytes", True]]

    def close(self, server: Server) -> None:
        assert node("""
            const socket = new WebSocket(process.argv[1]);
            socket.on("close", (code, reason) => console.log(JSON.stringify([code, reason.toString()])));
        """, server.ws(f"/close?code={CODE}&reason={REASON}")) == [CODE, REASON]


def node(script: str, *arguments: str) -> object:
    """Runs a script that has WebSocket of ws, and returns the JSON that it prints."""
    result = subprocess.run(
        ["node", "-e", f"const WebSocket = require('{NODE_WS}');" + script, *arguments],
        capture_output=True, text=True, timeout=3 * TIMEOUT, env=os.environ | {"NODE_NO_WARNINGS": "1"}, check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


CLIENTS: list[type[Peer]] = [Aioquic, PyWebTransport, Ngtcp2, Curl, Websockets, NodeWs]
