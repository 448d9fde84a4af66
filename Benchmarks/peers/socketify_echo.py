"""The echo endpoint on socketify: WebSocket by uWebSockets."""

from __future__ import annotations

from socketify import App, AppListenOptions, AppOptions, OpCode, WebSocket

import peer


def echo(socket: WebSocket, message: bytes | str, code: OpCode) -> None:
    socket.send(message, code)


options = peer.options()
port = peer.free_port(options.port)
app = App(AppOptions(key_file_name=options.key, cert_file_name=options.certificate))
app.ws("/echo", {"message": echo})
app.listen(AppListenOptions(port, "127.0.0.1"), lambda _: peer.ready("socketify", port, "ws"))
app.run()
