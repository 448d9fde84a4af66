"""What a page may expect of streams and datagrams of a session with our server, in every browser that is here.

Each test's name is the behaviour. The server's side of it is asked for through the endpoints under /test.
"""

from __future__ import annotations

import pytest

from behaviours import browsers_fault, page, server  # noqa: F401 (fixtures)

# The larger ones have tests of their own: draft-02 had a byte for them.
CODES = [0, 1, 29, 30, 99, 255]
LARGE_CODES = [256, 4294967295]
BYTE = "codes above 255 are sent as 255, the largest of draft-02: so the server's qlog has them (0x52e4a40fa9e2)"


# MARK: Streams


@pytest.mark.parametrize("size", [0, 1, 1000, 65536, 1 << 20])
def test_bidirectional_stream_of_any_size_is_echoed(page, size):
    assert page.run("""
        const session = await open("/echo");
        const data = pattern(args.size);
        const received = await echo(session, data);
        session.close();
        return equal(received, data);
    """, size=size)


ONE_WAY = """
        const session = await open("/echo");
        const data = pattern(args.size);
        await writeAll(await session.createUnidirectionalStream(), data);
        const received = await readAll(await next(session.incomingUnidirectionalStreams));
        session.close();
        return equal(received, data);
"""


@pytest.mark.parametrize("size", [1, 65536])
def test_unidirectional_stream_of_any_size_comes_back(page, size):
    assert page.run(ONE_WAY, size=size)


def test_empty_unidirectional_stream_comes_back(page):
    """Firefox takes the end in one frame with the header for an error of the connection: it comes behind the header."""
    assert page.run(ONE_WAY, size=0)


def test_large_echoes_one_after_another(page):
    """Credit of the connection comes back from streams that have ended."""
    assert page.run("""
        const session = await open("/echo");
        const data = pattern(1 << 20);
        const same = [];
        for (let round = 0; round < 8; round += 1) same.push(equal(await echo(session, data), data));
        session.close();
        return same;
    """) == [True] * 8


def test_streams_at_once_do_not_mix(page):
    assert page.run("""
        const session = await open("/echo");
        const contents = Array.from({ length: 40 }, (_, index) => pattern(5000 + index).fill(index, 0, 100));
        const received = await Promise.all(contents.map((data) => echo(session, data)));
        session.close();
        return received.every((data, index) => equal(data, contents[index]));
    """)


def test_stream_stays_open_for_the_other_side_after_it_has_ended_here(page):
    """Half-closed: the page reads on when it has closed its own half."""
    assert page.run("""
        const session = await open("/sink");
        const stream = await session.createBidirectionalStream();
        await writeAll(stream.writable, pattern(70000));
        const received = text(await readAll(stream.readable));
        session.close();
        return received;
    """) == "70000"


@pytest.mark.parametrize("count", [1, 5, 250])
@pytest.mark.parametrize("kind", ["bidirectional", "unidirectional"])
def test_all_streams_that_the_server_opens_arrive(page, kind, count):
    """250 are more than a browser lets a server have open at once: it must wait, and go on."""
    assert sorted(page.run("""
        const session = await open(`/test/streams?count=${args.count}`);
        const both = await Promise.all([
          take(session.incomingBidirectionalStreams, args.count, (stream) => {
            stream.writable.close().catch(() => {});
            return stream.readable;
          }),
          take(session.incomingUnidirectionalStreams, args.count),
        ]);
        session.close();
        return both[args.kind === "bidirectional" ? 0 : 1];
    """, kind=kind, count=count)) == sorted(f"stream {number}" for number in range(count))


@pytest.mark.parametrize("kind", ["Bidirectional", "Unidirectional"])
def test_end_of_a_stream_reaches_the_server(page, kind):
    record = page.run("""
        const session = await recorded();
        const stream = await session[`create${args.kind}Stream`]();
        await writeAll(stream.writable ?? stream, pattern(3000));
        const record = await noted("&streams=1");
        session.close();
        return record;
    """, kind=kind)
    assert record["streams"] == [{"kind": kind.lower(), "end": "finished", "bytes": 3000}]


# A reset that overtakes the stream's header tells nobody whose stream it was: so the page waits for the header.
ABORT = """
        const session = await recorded();
        const stream = await session[`create${args.kind}Stream`]();
        const writer = (stream.writable ?? stream).getWriter();
        await writer.write(bytes("x"));
        await noted("&opened=1");
        await writer.abort(streamError(args.code));
        const record = await noted("&streams=1");
        session.close();
        return record.streams[0];
"""


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", ["Bidirectional", "Unidirectional"])
def test_abort_of_a_stream_reaches_the_server_with_its_code(page, kind, code):
    """draft-ietf-webtrans-http3 § 4.4: RESET_STREAM."""
    stream = page.run(ABORT, kind=kind, code=code)
    assert stream == {"kind": kind.lower(), "end": "reset", "code": code, "bytes": 1}


@browsers_fault("chromium", BYTE)
@browsers_fault("firefox", BYTE)
@pytest.mark.parametrize("code", LARGE_CODES)
@pytest.mark.parametrize("kind", ["Bidirectional", "Unidirectional"])
def test_abort_of_a_stream_reaches_the_server_with_a_large_code(page, kind, code):
    """draft-ietf-webtrans-http3 § 4.4: 32 bits since draft-03."""
    assert page.run(ABORT, kind=kind, code=code)["code"] == code


def test_abort_without_a_code_has_code_0(page):
    record = page.run("""
        const session = await recorded();
        const writer = (await session.createUnidirectionalStream()).getWriter();
        await writer.write(bytes("x"));
        await noted("&opened=1");
        await writer.abort();
        const record = await noted("&streams=1");
        session.close();
        return record;
    """)
    (stream,) = record["streams"]
    assert (stream["end"], stream["code"]) == ("reset", 0)


CANCEL = """
        const told = [];
        for (const code of args.codes) {
          const session = await recorded("&write=1");
          const reader = (await next(session.incomingUnidirectionalStreams)).getReader();
          await reader.read();
          await reader.cancel(streamError(code));
          const { streams } = await noted(`&streams=${told.length + 1}`);
          told.push([streams.at(-1).end, streams.at(-1).code]);
          session.close();
        }
        return told;
"""
NO_STOP = "cancelling a stream sends no STOP_SENDING: the server's qlog has received none"


@browsers_fault("firefox", NO_STOP)
def test_cancel_of_a_servers_stream_reaches_the_server_with_its_code(page):
    """draft-ietf-webtrans-http3 § 4.4: STOP_SENDING."""
    assert page.run(CANCEL, codes=CODES) == [["stopped", code] for code in CODES]


@browsers_fault("chromium", BYTE)
@browsers_fault("firefox", NO_STOP)
def test_cancel_of_a_servers_stream_reaches_the_server_with_a_large_code(page):
    assert page.run(CANCEL, codes=LARGE_CODES) == [["stopped", code] for code in LARGE_CODES]


@browsers_fault("firefox", NO_STOP)
def test_cancel_of_a_bidirectional_stream_reaches_the_server(page):
    """The code is not looked at: the QUIC library tells of it only when the whole stream has ended."""
    record = page.run("""
        const session = await recorded("&write=1");
        const stream = await session.createBidirectionalStream();
        const writer = stream.writable.getWriter();
        await writer.write(bytes("begin"));
        const reader = stream.readable.getReader();
        await reader.read();
        await reader.cancel(streamError(7));
        const record = await noted("&streams=1");
        session.close();
        return record;
    """)
    assert [(stream["kind"], stream["end"]) for stream in record["streams"]] == [("bidirectional", "stopped")]


# Firefox now and then takes a reset for the end of a stream. The server sends every one of them
# (`test_webtransport_aioquic.py`), so streams are opened until Firefox has told one.
MOST_RESETS = {"chromium": 1, "firefox": 200}


def test_reset_of_a_servers_own_stream_fails_its_reader(page):
    failed = page.run("""
        const failed = [];
        while (failed.length < args.most && !failed.includes(true)) {
          const session = await open("/test/reset?of=server&code=52");
          const stream = await next(session.incomingBidirectionalStreams);
          const received = outcome(readAll(stream.readable));
          await stream.writable.getWriter().write(bytes("go on"));
          failed.push("rejected" in await received);
          session.close();
        }
        return failed;
    """, most=MOST_RESETS[page.browser])
    assert failed[-1], f"none of {len(failed)} resets was told"


def test_stop_of_a_servers_own_stream_fails_its_writer(page):
    result = page.run("""
        const session = await open("/test/stop?of=server&code=53");
        const stream = await next(session.incomingBidirectionalStreams);
        const writer = stream.writable.getWriter();
        writer.write(bytes("go on")).catch(() => {});
        const result = await outcome(writer.closed);
        session.close();
        return result;
    """)
    assert "rejected" in result


def test_stop_of_a_unidirectional_stream_fails_its_writer(page):
    result = page.run("""
        const session = await open("/test/stop?code=5");
        const writer = (await session.createUnidirectionalStream()).getWriter();
        writer.write(bytes("x")).catch(() => {});
        const result = await outcome(writer.closed);
        session.close();
        return result;
    """)
    assert "rejected" in result


@pytest.mark.parametrize("code", [0x10C, 0x52E4A40FA8DA, 0x52E4A40FA8F9, 0x52E5AC983163])
def test_reset_with_a_code_of_http3s_own_fails_the_stream_and_not_the_session(page, code):
    """draft-ietf-webtrans-http3 § 4.4: codes before and behind the application's range, and one of its holes."""
    results, alive = page.run("""
        const session = await open(`/test/reset?http3-code=${args.code}`);
        const results = [];
        while (results.length < args.most && !results.some((result) => "rejected" in result)) {
          const broken = await session.createBidirectionalStream();
          broken.writable.getWriter().write(bytes("x")).catch(() => {});
          results.push(await outcome(broken.readable.getReader().read()));
        }
        const another = await session.createBidirectionalStream();
        session.close();
        return [results, another.readable instanceof ReadableStream];
    """, code=code, most=MOST_RESETS[page.browser])
    assert "rejected" in results[-1], f"none of {len(results)} resets was told"
    assert alive


def test_a_broken_stream_leaves_others_alone(page):
    assert page.run("""
        const session = await open("/echo");
        const other = await session.createBidirectionalStream();
        const received = readAll(other.readable);
        const writer = other.writable.getWriter();
        await writer.write(bytes("before "));
        const broken = (await session.createUnidirectionalStream()).getWriter();
        await broken.write(bytes("x"));
        await broken.abort(streamError(1));
        await writer.write(bytes("and after"));
        await writer.close();
        const data = text(await received);
        session.close();
        return data;
    """) == "before and after"


def test_streams_with_an_order_all_arrive(page):
    """W3C WebTransport § 7: sendOrder is a wish; no byte may be lost over it."""
    order = page.run("""
        const session = await open("/test/order?streams=3");
        const streams = [];
        for (const name of [0, 1, 2]) {
          streams.push(await session.createUnidirectionalStream({ sendOrder: name }));
        }
        await Promise.all(streams.map((stream, name) => writeAll(stream, new Uint8Array(40000).fill(name))));
        const order = JSON.parse(await answer(session));
        session.close();
        return order;
    """)
    assert sorted(order["ends"]) == [0, 1, 2]
    assert sum(run["bytes"] for run in order["arrivals"]) == 120000


# MARK: Datagrams


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_datagram_arrives_whole(page, size):
    assert page.run("""
        const session = await open("/test/datagram-lengths");
        const length = text(await exchange(session, pattern(args.size)));
        session.close();
        return length;
    """, size=size) == str(size)


def test_empty_datagram_arrives(page):
    """RFC 9221 § 4: a datagram may be empty."""
    assert page.run("""
        const session = await open("/test/datagram-lengths");
        const length = text(await exchange(session, new Uint8Array(0)));
        session.close();
        return length;
    """) == "0"


def test_largest_datagram_arrives(page):
    length, largest = page.run("""
        const session = await open("/test/datagram-lengths");
        const largest = session.datagrams.maxDatagramSize;
        const length = text(await exchange(session, new Uint8Array(largest)));
        session.close();
        return [Number(length), largest];
    """)
    assert length == largest >= 1000


def test_datagram_that_is_too_large_does_no_harm(page):
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


def test_datagrams_come_back_unchanged(page):
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
