"""The same endpoints as `apus serve` has, for peregrine, a WebTransport server in Swift of other makers (ASGI)."""

from __future__ import annotations

import asyncio

from peregrine.webtransport import SessionClosed, WebTransportSession, WebTransportStream


async def app(scope: dict, receive: object, send: object) -> None:
    match scope["type"]:
        case "webtransport":
            await serve(WebTransportSession(scope, receive, send))
        case "websocket":
            await serve_websocket(receive, send)
        case "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})


async def serve(session: WebTransportSession) -> None:
    match session.path:
        case "/echo":
            async with session, asyncio.TaskGroup() as group:
                group.create_task(echo_datagrams(session))
                async for stream in session.incoming_streams():
                    group.create_task(echo(session, stream))
        case "/close":
            async with session:
                await session.close(4242, "bye")
        case _:
            # Closed instead of accepted: refused.
            await session.close()


async def echo(session: WebTransportSession, stream: WebTransportStream) -> None:
    try:
        data = await stream.read()
        back = stream if stream.bidirectional else await session.create_stream(bidirectional=False)
        await back.send(data, end=True)
    except SessionClosed:
        pass


async def echo_datagrams(session: WebTransportSession) -> None:
    async for datagram in session.datagrams():
        await session.send_datagram(datagram)


async def serve_websocket(receive: object, send: object) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        kept = {key: message[key] for key in ("bytes", "text") if message.get(key) is not None}
        await send({"type": "websocket.send", **kept})
