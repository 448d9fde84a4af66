"""What a page may expect of the datagrams of a session with our server, in every browser that is here.

Each test's name is the behaviour. A datagram may be lost even on loopback: none of them counts on a single one.
"""

from __future__ import annotations

import pytest

from behaviours import Page, experimental


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_datagram_arrives_whole(page: Page, size: int) -> None:
    assert page.run("""
        const session = await open("/test/datagram-lengths");
        const length = text(await exchange(session, pattern(args.size)));
        session.close();
        return length;
    """, size=size) == str(size)


def test_empty_datagram_arrives(page: Page) -> None:
    """RFC 9221 § 4: a datagram may be empty."""
    assert page.run("""
        const session = await open("/test/datagram-lengths");
        const length = text(await exchange(session, new Uint8Array(0)));
        session.close();
        return length;
    """) == "0"


def test_largest_datagram_arrives(page: Page) -> None:
    length, largest = page.run("""
        const session = await open("/test/datagram-lengths");
        const largest = session.datagrams.maxDatagramSize;
        const length = text(await exchange(session, new Uint8Array(largest)));
        session.close();
        return [Number(length), largest];
    """)
    assert length == largest >= 1000


def test_largest_datagram_comes_back(page: Page) -> None:
    """The server's packets carry as much as the browser's."""
    assert page.run("""
        const session = await open("/echo");
        const data = pattern(session.datagrams.maxDatagramSize);
        const received = await exchange(session, data);
        session.close();
        return equal(received, data);
    """)


def test_datagram_that_is_too_large_does_no_harm(page: Page) -> None:
    assert page.run("""
        const session = await open("/test/datagram-lengths");
        const writable = session.datagrams.createWritable?.() ?? session.datagrams.writable;
        const writer = writable.getWriter();
        await outcome(writer.write(new Uint8Array(70000)));
        writer.releaseLock();
        const length = text(await exchange(session, pattern(10)));
        session.close();
        return length;
    """) == "10"


def test_datagrams_come_back_unchanged(page: Page) -> None:
    """Whichever arrive: none is altered, none doubled."""
    received = page.run("""
        const session = await open("/echo");
        const reader = session.datagrams.readable.getReader();
        const writable = session.datagrams.createWritable?.() ?? session.datagrams.writable;
        const writer = writable.getWriter();
        const seen = [];
        for (let number = 0; number < 100; number += 1) {
          writer.write(bytes(`datagram ${number}`)).catch(() => {});
          if (number % 10 === 9) {
            // The last one of ten is repeated under other names until one of them is back.
            let extra = 0;
            const repeat = setInterval(() => writer.write(bytes(`extra ${number} ${extra += 1}`)), 100);
            do seen.push(text((await reader.read()).value));
            while (!seen.some((name) => name === `datagram ${number}` || name.startsWith(`extra ${number} `)));
            clearInterval(repeat);
          }
        }
        session.close();
        return seen;
    """)
    assert len(received) == len(set(received))
    names = {f"datagram {number}" for number in range(100)}
    assert all(name in names or name.startswith("extra ") for name in received)


def test_datagrams_of_two_sessions_do_not_mix(page: Page) -> None:
    assert page.run("""
        const sessions = [await open("/echo"), await open("/echo")];
        const received = await Promise.all(sessions.map((session, number) => exchange(session, bytes(`of ${number}`))));
        sessions.forEach((session) => session.close());
        return received.map(text);
    """) == ["of 0", "of 1"]


def test_datagrams_that_the_server_sends_unasked_arrive(page: Page) -> None:
    """Whichever arrive of a hundred: the server sends them at once, and a browser's queue may hold one. They come behind
    a stream that needs the page's credit: what overtakes the opening of a session, Chromium drops."""
    assert page.run("""
        const session = await open("/test/transfer?streams=1&bytes=16000000&datagrams=100");
        const first = session.datagrams.readable.getReader().read();
        await readAll(await next(session.incomingUnidirectionalStreams));
        const { value } = await first;
        session.close();
        return [...value];
    """) == [0]


def test_datagrams_go_on_beside_a_large_stream(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        const data = pattern(8 << 20);
        const received = echo(session, data);
        const datagram = text(await exchange(session, bytes("beside")));
        const same = equal(await received, data);
        session.close();
        return [datagram, same];
    """) == ["beside", True]


def test_datagrams_that_nobody_reads_hold_nothing_up(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        const writer = datagramWriter(session);
        for (let count = 0; count < 2000; count += 1) writer.write(bytes("unread")).catch(() => {});
        const data = pattern(100000);
        const same = equal(await echo(session, data), data);
        session.close();
        return same;
    """)


def test_datagrams_that_the_page_has_cancelled_do_no_harm(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        await outcome(session.datagrams.readable.cancel());
        datagramWriter(session).write(bytes("for nobody")).catch(() => {});
        const alive = await isAlive(session);
        session.close();
        return alive;
    """)


def test_datagrams_after_the_page_has_closed_their_writer_still_come(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        await exchange(session, bytes("x"));
        const writer = datagramWriter(session);
        await outcome(writer.close());
        const alive = await isAlive(session);
        session.close();
        return alive;
    """)


def test_datagram_after_the_close_does_no_harm(page: Page) -> None:
    """draft-ietf-webtrans-http3 § 6: it is dropped."""
    record = page.run("""
        const session = await recorded();
        const writer = datagramWriter(session);
        session.close({ closeCode: 6, reason: "" });
        await outcome(Promise.race([writer.write(bytes("late")), session.closed]));
        return noted("&session=1");
    """)
    assert record["end"] == {"isAbnormal": False, "code": 6, "reason": ""}


@pytest.mark.parametrize("age", [1, 60_000])
def test_datagrams_with_a_greatest_age_arrive(page: Page, age: int) -> None:
    """W3C WebTransport § 5: too old ones may be dropped; one that is sent at once never is too old for ever."""
    assert page.run("""
        const session = await open("/echo");
        session.datagrams.outgoingMaxAge = args.age;
        session.datagrams.incomingMaxAge = args.age;
        const received = text(await exchange(session, bytes("in time")));
        session.close();
        return received;
    """, age=age) == "in time"


@experimental
def test_datagrams_of_writers_with_an_order_arrive(page: Page) -> None:
    """W3C WebTransport § 5.2: each writer has its own place in the order."""
    assert page.run("""
        need("WebTransportDatagramDuplexStream.createWritable",
          "createWritable" in WebTransportDatagramDuplexStream.prototype);
        const session = await open("/echo");
        const writers = [1, 2].map((sendOrder) => session.datagrams.createWritable({ sendOrder }).getWriter());
        const reader = session.datagrams.readable.getReader();
        const seen = new Set();
        const send = () => writers.forEach((writer, number) => writer.write(bytes(`of ${number}`)).catch(() => {}));
        send();
        const repeat = setInterval(send, 100);
        while (seen.size < 2) seen.add(text((await reader.read()).value));
        clearInterval(repeat);
        session.close();
        return [...seen].sort();
    """) == ["of 0", "of 1"]
