"""A server and an independent client (aioquic) at the two ends of a link whose MTU is known: to be run in a namespace.

    unshare --user --map-root-user --net python path_mtu.py FOLDER SERVER-MTU CLIENT-MTU=PAYLOAD [CLIENT-MTU=PAYLOAD]

What is larger than the MTU of the client's end is lost there without a word. For each of its MTUs in turn, runs until
the largest UDP payload that arrives is the expected one, and prints as JSON the largest that arrives afterwards.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from http3_client import Client, client, echo_stream
from server import Server

SERVER, CLIENT = "10.0.0.1", "10.0.0.2"
PATIENCE = 60
# More than the server ever puts into a packet, and as much as aioquic can.
LARGE_CLIENT = 1500


class Gauge(Client):
    """Knows the largest UDP payload that came."""

    largest = 0

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.largest = max(self.largest, len(data))
        super().datagram_received(data, addr)


def ip(*arguments: object) -> None:
    subprocess.run(["ip", *map(str, arguments)], check=True)


def serve(folder: Path, server_mtu: str, *client_mtus: str) -> None:
    # `unshare` becomes the other program, so that the namespace can be named by its process.
    command = ["unshare", "--net", sys.executable, __file__, "client", *client_mtus]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout.readline() == "in a namespace\n"
        ip("link", "set", "lo", "up")
        ip("link", "add", "near", "mtu", server_mtu, "type", "veth", "peer", "name", "far", "netns", peer.pid)
        # A segmented send would cross the link as a whole, however narrow its end is.
        ip("link", "set", "near", "gso_max_segs", 1)
        ip("address", "add", f"{SERVER}/24", "dev", "near")
        ip("link", "set", "near", "up")
        running = Server.start(folder)
        try:
            output, _ = peer.communicate(f"{running.port}\n", timeout=5 * PATIENCE)
        finally:
            running.stop()
        assert peer.returncode == 0
        print(output)


def talk(*client_mtus: str) -> None:
    print("in a namespace", flush=True)
    server = Server(process=None, port=int(sys.stdin.readline()), http_port=0, sha256="", host=SERVER)
    ip("address", "add", f"{CLIENT}/24", "dev", "far")
    ip("link", "set", "far", "mtu", client_mtus[0].partition("=")[0], "up")

    async def main() -> list[int]:
        async with client(server, patience=PATIENCE, kind=Gauge, max_datagram_size=LARGE_CLIENT) as protocol:
            session = await protocol.session("/echo")
            measured = []
            for mtu, _, payload in (each.partition("=") for each in client_mtus):
                ip("link", "set", "far", "mtu", mtu)
                measured.append(await measure(protocol, session, int(payload)))
            return measured

    print(json.dumps(asyncio.run(main())))


async def measure(protocol: Gauge, session: int, expected: int) -> int:
    async with asyncio.timeout(PATIENCE):
        while protocol.largest != expected:
            protocol.largest = 0
            await echo_stream(protocol, session, 100_000)
    protocol.largest = 0
    await echo_stream(protocol, session, 200_000)
    return protocol.largest


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    talk(*rest) if first == "client" else serve(Path(first), *rest)
