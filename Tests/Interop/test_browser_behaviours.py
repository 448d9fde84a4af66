"""What a page may expect of a session with our server, from its request to its end, in every browser that is here.

Each test's name is the behaviour. The server's side of it is asked for through the endpoints under /test.
"""

from __future__ import annotations

import pytest

from behaviours import browsers_fault, page, server  # noqa: F401 (fixtures)


# MARK: Establishing


def test_session_becomes_ready_and_stays(page):
    assert page.run("""
        const session = await open("/echo");
        const first = await Promise.race([session.closed.then(() => "closed"), isAlive(session)]);
        session.close();
        return first;
    """) is True


def test_request_is_an_extended_connect_with_the_pages_origin(page):
    """draft-ietf-webtrans-http3 § 3.2: what the handler sees of the request."""
    request = page.run("return JSON.parse(await ask('/test/request?a=%20b&c'));")
    assert (request["method"], request["scheme"], request["protocol"]) == ("CONNECT", "https", "webtransport")
    assert request["path"] == "/test/request?a=%20b&c"
    assert request["authority"] == f"localhost:{page.server.port}"
    fields = {field["name"]: field["value"] for field in request["fields"]}
    assert fields["origin"] == page.server.page.rstrip("/")


def test_field_names_are_in_lower_case(page):
    """RFC 9114 § 4.2."""
    request = page.run("return JSON.parse(await ask('/test/request'));")
    assert all(field["name"] == field["name"].lower() for field in request["fields"])


def test_request_carries_no_credentials(page):
    """W3C WebTransport § 6.1: neither cookies nor authorization."""
    names = page.run("""
        document.cookie = "secret=1";
        const request = JSON.parse(await ask("/test/request"));
        return request.fields.map((field) => field.name);
    """)
    assert not {"cookie", "authorization"} & set(names)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_begins_a_session(page, status):
    """draft-ietf-webtrans-http3 § 3.2."""
    assert page.run("""
        const session = await open(`/test/response?:status=${args.status}`);
        const alive = await isAlive(session);
        session.close();
        return alive;
    """, status=status)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500])
def test_any_other_status_fails_the_session(page, status):
    """Both promises are rejected with an error of the session's."""
    ready, closed = page.run("""
        const session = connect(`/test/response?:status=${args.status}`);
        return Promise.all([outcome(session.ready), outcome(session.closed)]);
    """, status=status)
    for result in (ready, closed):
        assert (result["rejected"], result["source"]) == ("WebTransportError", "session")


def test_redirect_is_not_followed(page):
    """W3C WebTransport § 6.1: redirects are network errors."""
    session, record = page.run("""
        const target = encodeURIComponent(`/test/count?token=${args.token}`);
        const session = connect(`/test/response?:status=307&location=${target}`);
        session.closed.catch(() => {});
        return [await outcome(session.ready), await noted()];
    """)
    assert session["rejected"] == "WebTransportError"
    assert record["sessions"] == 0


def test_bad_query_is_refused(page):
    assert page.run("return outcome(connect('/test/streams?count=many').ready);")["rejected"] == "WebTransportError"


def test_unknown_response_fields_are_ignored(page):
    assert page.run("""
        const session = await open("/test/response?x-unknown=1&link=%3C/a%3E&set-cookie=stolen%3D1");
        const alive = await isAlive(session);
        session.close();
        return alive && !document.cookie.includes("stolen");
    """)


@pytest.mark.parametrize(("choice", "agreed"), [("a", "a"), ("b", "b"), ("other", ""), ("", "")])
def test_server_chooses_among_the_protocols_that_the_page_offers(page, choice, agreed):
    """draft-ietf-webtrans-http3 § 3.3."""
    told, known = page.run("""
        need("WebTransport.protocol", "protocol" in WebTransport.prototype);
        const session = await open(`/test/protocol?choose=${args.choice}`, { protocols: ["a", "b"] });
        const told = await answer(session);
        session.close();
        return [told, session.protocol];
    """, choice=choice)
    assert (told, known) == (agreed, agreed)


def test_first_of_the_hashes_need_not_be_the_right_one(page):
    assert page.run("""
        const right = { algorithm: "sha-256", value: hashValue };
        const wrong = { algorithm: "sha-256", value: new Uint8Array(32) };
        const session = await open("/echo", { serverCertificateHashes: [wrong, right] });
        const alive = await isAlive(session);
        session.close();
        return alive;
    """)


@pytest.mark.parametrize("option", ["throughput", "low-latency"])
def test_congestion_control_option_is_taken(page, option):
    assert page.run("""
        const session = await open("/echo", { congestionControl: args.option });
        const alive = await isAlive(session);
        session.close();
        return alive;
    """, option=option)


def test_session_is_one_with_datagrams(page):
    assert page.run("""
        need("WebTransport.reliability", "reliability" in WebTransport.prototype);
        const session = await open("/echo", { requireUnreliable: true });
        session.close();
        return session.reliability;
    """) == "supports-unreliable"


def test_many_sessions_at_once(page):
    """Each has a connection of its own, since hashes exclude pooling."""
    assert page.run("""
        const sessions = await Promise.all(Array.from({ length: 8 }, () => open("/echo")));
        const alive = await Promise.all(sessions.map(isAlive));
        sessions[0].close();
        alive[0] = !(await outcome(sessions[0].closed)).rejected;
        alive.push(...await Promise.all(sessions.slice(1).map(isAlive)));
        sessions.forEach((session) => session.close());
        return alive;
    """) == [True] * 15


def test_one_session_after_another(page):
    numbers = page.run("""
        const numbers = [];
        for (let round = 0; round < 15; round += 1) numbers.push(await ask(`/test/count?token=${args.token}`));
        return numbers;
    """)
    assert numbers == [str(number) for number in range(1, 16)]


def test_session_in_a_worker(page):
    assert page.run("""
        const source = `onmessage = async ({ data: { url, hash } }) => {
          const session = new WebTransport(url, { serverCertificateHashes: [{ algorithm: "sha-256", value: hash }] });
          await session.ready;
          const stream = await session.createBidirectionalStream();
          const writer = stream.writable.getWriter();
          writer.write(new TextEncoder().encode("from a worker"));
          writer.close();
          const received = await new Response(stream.readable).text();
          session.close();
          postMessage(received);
        };`;
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        const said = new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = reject;
        });
        worker.postMessage({ url: args.base + "/echo", hash: hashValue });
        return said;
    """) == "from a worker"


# MARK: Before the session is ready


def test_streams_asked_for_before_ready_work(page):
    assert page.run("""
        const session = connect("/echo");
        session.closed.catch(() => {});
        const received = await echo(session, bytes("early"));
        await session.ready;
        session.close();
        return text(received);
    """) == "early"


def test_datagrams_written_before_ready_arrive(page):
    """The server holds what overtakes the request (draft-ietf-webtrans-http3 § 4.6)."""
    assert page.run("""
        const session = connect("/echo");
        session.closed.catch(() => {});
        const received = await exchange(session, bytes("early"));
        session.close();
        return text(received);
    """) == "early"


# MARK: Ends


@pytest.mark.parametrize(("code", "reason"), [
    (0, ""), (1, "done"), (4711, "größer, 鳥, 🐦"), (4294967295, "x" * 1024),
])
def test_close_by_the_page_reaches_the_server(page, code, reason):
    """draft-ietf-webtrans-http3 § 6."""
    info, record = page.run("""
        const session = await recorded();
        session.close({ closeCode: args.code, reason: args.reason });
        const { closeCode, reason } = await session.closed;
        return [[closeCode, reason], await noted("&session=1")];
    """, code=code, reason=reason)
    assert info == [code, reason]
    assert record["end"] == {"isAbnormal": False, "code": code, "reason": reason}


def test_close_without_arguments_has_code_0(page):
    record = page.run("""
        const session = await recorded();
        session.close();
        await session.closed;
        return noted("&session=1");
    """)
    assert record["end"] == {"isAbnormal": False, "code": 0, "reason": ""}


@pytest.mark.parametrize("reason", ["x" * 1100, "ü" * 600, "x" + "鳥" * 500])
def test_long_reason_is_cut_to_1024_bytes_of_utf_8(page, reason):
    """W3C WebTransport § 6.4: at a character's boundary."""
    record = page.run("""
        const session = await recorded();
        session.close({ closeCode: 5, reason: args.reason });
        return noted("&session=1");
    """, reason=reason)
    told = record["end"]["reason"]
    assert record["end"]["code"] == 5
    assert reason.startswith(told)
    assert 1024 - 3 < len(told.encode()) <= 1024


@pytest.mark.parametrize(("code", "reason"), [(0, ""), (42, "enough"), (4294967295, "größer 鳥 🐦")])
def test_close_by_the_server_after_reading(page, code, reason):
    info = page.run("""
        const query = new URLSearchParams({ code: args.code, reason: args.reason });
        const session = await open(`/test/read-then-close?${query}`);
        const stream = await session.createBidirectionalStream();
        await writeAll(stream.writable, bytes("x")).catch(() => {});
        const { closeCode, reason } = await session.closed;
        return [closeCode, reason];
    """, code=code, reason=reason)
    assert info == [code, reason]


# What is pending when the server closes must settle; the time only tells it from what never does.
PENDING = """
        const session = await open("/test/read-then-close?code=3");
        const stream = await session.createBidirectionalStream();
        const pending = {
          stream: outcome(stream.readable.getReader().read()),
          incoming: outcome(session.incomingBidirectionalStreams.getReader().read()),
          datagrams: outcome(session.datagrams.readable.getReader().read()),
        }[args.what];
        await writeAll(stream.writable, bytes("x")).catch(() => {});
        await session.closed;
        const never = new Promise((resolve) => { setTimeout(resolve, 3000, "never"); });
        const result = await Promise.race([pending ?? outcome(session.createBidirectionalStream()), never]);
        return result === "never" ? result : "rejected" in result || result.fulfilled.done;
"""


@pytest.mark.parametrize("what", ["stream", "incoming", "another"])
def test_close_by_the_server_ends_what_is_pending(page, what):
    """W3C WebTransport § 6: streams, incoming streams, and streams that are asked for afterwards."""
    assert page.run(PENDING, what=what) is True


@browsers_fault("firefox", "reading datagrams waits for ever, though the page has the close that the server sent")
def test_close_by_the_server_ends_the_datagrams(page):
    assert page.run(PENDING, what="datagrams") is True


def test_close_by_the_page_ends_the_streams_at_the_server(page):
    """draft-ietf-webtrans-http3 § 6: every stream of the session is reset."""
    record = page.run("""
        const session = await recorded();
        for (const kind of ["Bidirectional", "Unidirectional"]) {
          const stream = await session[`create${kind}Stream`]();
          await (stream.writable ?? stream).getWriter().write(pattern(10));
        }
        // Both have arrived when a third one, opened later, has been read: streams are taken in order.
        await writeAll(await session.createUnidirectionalStream(), bytes("last"));
        await noted("&streams=1");
        session.close({ closeCode: 9, reason: "" });
        return noted("&streams=3&session=1");
    """)
    assert record["end"]["code"] == 9
    assert {stream["end"] for stream in record["streams"] if stream["bytes"] != 4} <= {"gone", "reset"}
    assert len(record["streams"]) == 3


def test_loss_of_the_connection_fails_the_session(page):
    result = page.run("""
        const session = await open("/test/close-connection?http3-code=258");
        await session.createBidirectionalStream()
          .then((stream) => writeAll(stream.writable, bytes("x"))).catch(() => {});
        return outcome(session.closed);
    """)
    assert (result["rejected"], result["source"]) == ("WebTransportError", "session")


KEPT = "a session outlives its page: the server's qlog has no end of it, but keep-alives"


@browsers_fault("firefox", KEPT)
def test_leaving_the_page_ends_the_session_at_the_server(page):
    page.run("globalThis.kept = await recorded();")
    page.leave()
    record = page.run("return noted('&session=1');")
    assert record["end"] is not None


@browsers_fault("firefox", KEPT)
def test_removal_of_a_frame_ends_its_session_at_the_server(page):
    record = page.run("""
        const frame = document.createElement("iframe");
        frame.src = location.href;
        const loaded = new Promise((resolve) => { frame.onload = resolve; });
        document.documentElement.append(frame);
        await loaded;
        const session = new frame.contentWindow.WebTransport(`${args.base}/test/record?token=${args.token}`, {
          serverCertificateHashes: [{ algorithm: "sha-256", value: hashValue }],
        });
        await session.ready;
        frame.remove();
        return noted("&session=1");
    """)
    assert record["end"] is not None


def test_server_that_drains_is_noticed_and_goes_on(page):
    """draft-ietf-webtrans-http3 § 4.7."""
    assert page.run("""
        need("WebTransport.draining", "draining" in WebTransport.prototype);
        const session = await open("/test/drain");
        await session.draining;
        const alive = await isAlive(session);
        session.close();
        return alive;
    """)


def test_session_works_on_after_the_server_asked_to_drain(page):
    """Streams of both kinds and datagrams, whether or not the browser tells the page."""
    assert page.run("""
        const session = await open("/test/drain");
        const seen = [text(await exchange(session, bytes("datagram"))), await isAlive(session)];
        await writeAll(await session.createUnidirectionalStream(), bytes("one way"));
        seen.push(text(await readAll(await next(session.incomingUnidirectionalStreams))));
        session.close();
        return seen;
    """) == ["datagram", True, "one way"]


# MARK: Facts


def test_keying_material_is_the_servers(page):
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


def test_statistics_count_what_was_transferred(page):
    statistics = page.run("""
        need("getStats", "getStats" in WebTransport.prototype);
        const session = await open("/test/transfer?streams=2&bytes=20000");
        await take(session.incomingUnidirectionalStreams, 2);
        const statistics = await session.getStats().catch(() => null);
        need("getStats", statistics !== null);
        const { bytesReceived, packetsReceived, smoothedRtt } = statistics;
        session.close();
        return { bytesReceived, packetsReceived, smoothedRtt };
    """)
    if statistics.get("bytesReceived") is not None:
        assert statistics["bytesReceived"] >= 40000
