"""The echo endpoint on aioquic: WebTransport of draft-02."""

from __future__ import annotations

import asyncio

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DatagramReceived, DataReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

import peer

# Datagrams have no default: without a limit there are none, and WebTransport needs them.
MAX_DATAGRAM_FRAME_SIZE = 65536


class Echo(QuicConnectionProtocol):
    """What is sent here leaves when the packets that came together have been read."""

    http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=True)
        for item in self.http.handle_event(event) if self.http else ():
            match item:
                case HeadersReceived():
                    accepts = dict(item.headers)[b":path"] == b"/echo"
                    self.http.send_headers(item.stream_id, [(b":status", b"200" if accepts else b"404")], not accepts)
                case DataReceived(stream_ended=True):
                    # The client has ended the session.
                    self.http.send_data(item.stream_id, b"", end_stream=True)
                case WebTransportStreamDataReceived():
                    self._quic.send_stream_data(item.stream_id, item.data, item.stream_ended)
                case DatagramReceived():
                    self.http.send_datagram(item.stream_id, item.data)


async def main() -> None:
    options = peer.options()
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=MAX_DATAGRAM_FRAME_SIZE)
    configuration.load_cert_chain(options.certificate, options.key)
    # A server is not asked for its port.
    port = peer.free_port(options.port)
    await serve("127.0.0.1", port, configuration=configuration, create_protocol=Echo)
    peer.ready("aioquic", port, "wt")
    await asyncio.Event().wait()


asyncio.run(main())
