"""The control server does what it is asked to, so that what fails against it is the browser's fault.

Some faults are every browser's: then no browser shows that the control would notice the right thing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from control_server import ControlServer
from http3_client import Client, capsule, client, echo

# An application's codes and how they travel (draft-ietf-webtrans-http3 § 4.4), computed by hand.
CODES = {0: 0x52E4A40FA8DB, 29: 0x52E4A40FA8F8, 30: 0x52E4A40FA8FA, 256: 0x52E4A40FA9E3, 0xFFFFFFFF: 0x52E5AC983162}
CLOSE_SESSION = 0x2843

codes = pytest.mark.parametrize(("code", "wire"), CODES.items())


def connected(server: ControlServer, body: Callable) -> None:
    async def main() -> None:
        async with client(server) as protocol:
            await body(protocol)

    asyncio.run(main())


async def noted(protocol: Client, token: str, conditions: str) -> dict:
    before = set(protocol.ended)
    await protocol.session(f"/test/query?token={token}&{conditions}")
    await protocol.until(lambda: any(stream % 4 == 3 for stream in protocol.ended - before))
    (answer,) = (stream for stream in protocol.ended - before if stream % 4 == 3)
    return json.loads(protocol.streams[answer])


def test_streams_and_datagrams_come_back(control_server: ControlServer) -> None:
    connected(control_server, echo)


@codes
@pytest.mark.parametrize("is_unidirectional", [False, True])
def test_reset_is_noted_with_its_code(
    control_server: ControlServer, is_unidirectional: bool, code: int, wire: int,
) -> None:
    token = f"reset-{is_unidirectional}-{code}"

    async def body(protocol: Client) -> None:
        session = await protocol.session(f"/test/record?token={token}")
        stream = protocol.open(session, b"x", is_unidirectional=is_unidirectional)
        await noted(protocol, token, "opened=1")
        protocol.reset(stream, wire)
        (record,) = (await noted(protocol, token, "streams=1"))["streams"]
        kind = "unidirectional" if is_unidirectional else "bidirectional"
        assert record == {"kind": kind, "end": "reset", "code": code, "bytes": 1}

    connected(control_server, body)


@codes
def test_stop_is_noted_with_its_code(control_server: ControlServer, code: int, wire: int) -> None:
    async def body(protocol: Client) -> None:
        await protocol.session(f"/test/record?token=stop-{code}&write=1")
        await protocol.until(lambda: any(protocol.streams.values()))
        (stream,) = protocol.streams
        protocol.stop(stream, wire)
        (record,) = (await noted(protocol, f"stop-{code}", "streams=1"))["streams"]
        assert record == {"kind": "unidirectional", "end": "stopped", "code": code, "bytes": 0}

    connected(control_server, body)


@codes
@pytest.mark.parametrize("signal", ["reset", "stop"])
def test_signal_travels_with_its_code(control_server: ControlServer, signal: str, code: int, wire: int) -> None:
    async def body(protocol: Client) -> None:
        session = await protocol.session(f"/test/{signal}?code={code}")
        stream = protocol.open(session, b"x")
        seen = protocol.resets if signal == "reset" else protocol.stops
        await protocol.until(lambda: stream in seen)
        assert seen[stream] == {wire}

    connected(control_server, body)


def test_close_is_noted(control_server: ControlServer) -> None:
    async def body(protocol: Client) -> None:
        session = await protocol.session("/test/record?token=close")
        protocol.send_capsule(session, CLOSE_SESSION, (4711).to_bytes(4, "big") + "größer".encode(), end=True)
        record = await noted(protocol, "close", "session=1")
        assert record["end"] == {"isAbnormal": False, "code": 4711, "reason": "größer"}

    connected(control_server, body)


def test_close_carries_code_and_reason(control_server: ControlServer) -> None:
    async def body(protocol: Client) -> None:
        session = await protocol.session("/test/read-then-close?code=42&reason=enough")
        protocol.open(session, b"x", end=True)
        await protocol.until(lambda: session in protocol.ended)
        assert protocol.answers[session].body == capsule(CLOSE_SESSION, (42).to_bytes(4, "big") + b"enough")

    connected(control_server, body)
