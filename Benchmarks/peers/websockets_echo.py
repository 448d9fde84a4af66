"""The echo endpoint on websockets."""

from __future__ import annotations

import asyncio
import ssl

from websockets.asyncio.server import ServerConnection, serve

import peer


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    options = peer.options()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(options.certificate, options.key)
    async with serve(echo, "127.0.0.1", options.port, ssl=context, compression=None) as server:
        peer.ready("websockets", server.sockets[0].getsockname()[1], "ws")
        await server.serve_forever()


asyncio.run(main())
