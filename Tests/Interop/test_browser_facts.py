"""What a page may ask of a session with our server about the connection, in every browser that is here."""

from __future__ import annotations

import pytest

from behaviours import Page, experimental

# Firefox has the method, and says that it does not have it yet.
STATISTICS = """
        const statistics = async (source) => {
          need("getStats", source !== undefined && "getStats" in source);
          const taken = await outcome(source.getStats());
          need("getStats", !["NotSupportedError", "NS_ERROR_NOT_IMPLEMENTED"].includes(taken.rejected));
          return taken.fulfilled;
        };
"""


def test_keying_material_is_the_servers(page: Page) -> None:
    """draft-ietf-webtrans-http3 § 4.8: both ends compute the same, for this session, label and context."""
    ours, theirs = page.run("""
        need("exportKeyingMaterial", "exportKeyingMaterial" in WebTransport.prototype);
        const session = await open("/test/export?label=login&context=00ff10&length=32");
        const material = await session.exportKeyingMaterial(bytes("login"), new Uint8Array([0, 255, 16]), 32);
        const theirs = await answer(session);
        session.close();
        const digits = (byte) => byte.toString(16).padStart(2, "0");
        return [Array.from(new Uint8Array(material), digits).join(""), theirs];
    """)
    assert ours == theirs


@experimental
def test_statistics_tell_the_round_trip(page: Page) -> None:
    """W3C WebTransport § 6.5: it has been measured once there was an answer."""
    facts = page.run(STATISTICS + """
        const session = await open("/echo");
        await isAlive(session);
        const { smoothedRtt, minRtt, rttVariation } = await statistics(session);
        session.close();
        return [minRtt, smoothedRtt, rttVariation];
    """)
    smallest, smoothed, variation = facts
    assert 0 < smallest <= smoothed
    assert variation >= 0


@experimental
def test_statistics_of_the_two_ends_agree_on_the_round_trip(page: Page) -> None:
    """Each measures its own, on the same loopback: they are of one order."""
    ours, theirs = page.run(STATISTICS + """
        const session = await open("/test/transfer");
        const stream = await session.createBidirectionalStream();
        await stream.writable.close();
        const theirs = JSON.parse(text(await readAll(stream.readable)));
        const ours = await statistics(session);
        session.close();
        return [ours.minRtt, theirs.minimumRoundTrip];
    """)
    assert 0 < ours < 1000 and 0 < theirs < 1000


@experimental
def test_statistics_tell_the_estimated_rate(page: Page) -> None:
    rate = page.run(STATISTICS + """
        const session = await open("/echo");
        await echo(session, pattern(1 << 20));
        const { estimatedSendRate } = await statistics(session);
        session.close();
        return estimatedSendRate;
    """)
    assert rate is None or rate > 0


@experimental
def test_statistics_count_no_datagrams_that_were_none(page: Page) -> None:
    counts = page.run(STATISTICS + """
        const session = await open("/echo");
        await isAlive(session);
        const { droppedIncoming, expiredOutgoing, lostOutgoing } = (await statistics(session)).datagrams;
        session.close();
        return [droppedIncoming, expiredOutgoing, lostOutgoing];
    """)
    assert counts == [0, 0, 0]


@experimental
def test_statistics_count_the_datagrams_that_the_page_did_not_take(page: Page) -> None:
    """A hundred at once are more than an idle page's queue holds."""
    dropped = page.run(STATISTICS + """
        for (let round = 0; round < 50; round += 1) {
          const session = await open("/test/transfer?datagrams=100");
          await statistics(session);
          const stream = await session.createBidirectionalStream();
          await stream.writable.close();
          await readAll(stream.readable);
          const { droppedIncoming } = (await statistics(session)).datagrams;
          session.close();
          if (droppedIncoming > 0) return droppedIncoming;
        }
        return 0;
    """)
    assert 0 < dropped <= 100


@experimental
def test_statistics_of_a_stream_count_what_was_read(page: Page) -> None:
    read = page.run(STATISTICS + """
        const session = await open("/test/transfer?streams=1&bytes=20000");
        const stream = await next(session.incomingUnidirectionalStreams);
        const data = await readAll(stream);
        const { bytesReceived, bytesRead } = await statistics(stream);
        session.close();
        return [data.length, bytesReceived, bytesRead];
    """)
    assert read == [20000, 20000, 20000]


@experimental
@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_statistics_of_a_stream_never_acknowledge_more_than_was_sent(page: Page, size: int) -> None:
    written, sent, acknowledged = page.run(STATISTICS + """
        const session = await open("/echo");
        const stream = await session.createBidirectionalStream();
        const received = readAll(stream.readable);
        await writeAll(stream.writable, pattern(args.size));
        await received;
        const { bytesWritten, bytesSent, bytesAcknowledged } = await statistics(stream.writable);
        session.close();
        return [bytesWritten, bytesSent, bytesAcknowledged];
    """, size=size)
    assert 0 <= acknowledged <= sent <= written <= size


@experimental
def test_statistics_of_a_session_that_has_ended_harm_nothing(page: Page) -> None:
    assert page.run(STATISTICS + """
        const session = await open("/echo");
        await statistics(session);
        session.close();
        await session.closed;
        await outcome(session.getStats());
        const another = await open("/echo");
        const alive = await isAlive(another);
        another.close();
        return alive;
    """)
