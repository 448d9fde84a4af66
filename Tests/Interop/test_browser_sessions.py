"""What a page may expect of a session's beginning with our server, in every browser that is here.

Each test's name is the behaviour. The server's side of it is asked for through the endpoints under /test.
"""

from __future__ import annotations

import pytest

from behaviours import Page, experimental

# MARK: The request


def test_session_becomes_ready_and_stays(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        const first = await Promise.race([session.closed.then(() => "closed"), isAlive(session)]);
        session.close();
        return first;
    """) is True


def test_request_is_an_extended_connect_with_the_pages_origin(page: Page) -> None:
    """draft-ietf-webtrans-http3 § 3.2: what the handler sees of the request."""
    request = page.run("return JSON.parse(await ask('/test/request?a=%20b&c'));")
    assert (request["method"], request["scheme"], request["protocol"]) == ("CONNECT", "https", "webtransport")
    assert request["path"] == "/test/request?a=%20b&c"
    assert request["authority"] == f"localhost:{page.server.port}"
    fields = {field["name"]: field["value"] for field in request["fields"]}
    assert fields["origin"] == page.server.page.rstrip("/")


def test_field_names_are_in_lower_case(page: Page) -> None:
    """RFC 9114 § 4.2."""
    request = page.run("return JSON.parse(await ask('/test/request'));")
    assert all(field["name"] == field["name"].lower() for field in request["fields"])


def test_request_carries_no_credentials(page: Page) -> None:
    """W3C WebTransport § 6.1: neither cookies nor authorization."""
    names = page.run("""
        document.cookie = "secret=1";
        const request = JSON.parse(await ask("/test/request"));
        return request.fields.map((field) => field.name);
    """)
    assert not {"cookie", "authorization"} & set(names)


def test_long_path_arrives_whole(page: Page) -> None:
    request = page.run("return JSON.parse(await ask(args.path));", path="/test/request?" + "x" * 4000)
    assert request["path"] == "/test/request?" + "x" * 4000


def test_path_outside_ascii_arrives_percent_encoded(page: Page) -> None:
    """RFC 3986 § 2.5, in UTF-8."""
    request = page.run("return JSON.parse(await ask('/test/request?größe=鳥'));")
    assert request["path"] == "/test/request?gr%C3%B6%C3%9Fe=%E9%B3%A5"


@experimental
def test_fields_that_the_page_adds_arrive(page: Page) -> None:
    """W3C WebTransport § 6.1, headers: repeated ones combined, and names in lower case."""
    fields = page.run("""
        need("WebTransport.responseHeaders", "responseHeaders" in WebTransport.prototype);
        const headers = new Headers([["X-First", "1"], ["x-first", "2"], ["x-second", "two, three"]]);
        return JSON.parse(await ask("/test/request", { headers })).fields;
    """)
    added = {field["name"]: field["value"] for field in fields if field["name"].startswith("x-")}
    assert added == {"x-first": "1, 2", "x-second": "two, three"}


@experimental
@pytest.mark.parametrize("name", ["origin", "cookie", "host", "sec-webtransport-http3-draft02"])
def test_fields_that_are_not_the_pages_to_set_keep_their_values(page: Page, name: str) -> None:
    """Fetch § 2.2.2: forbidden request-headers."""
    fields = page.run("""
        need("WebTransport.responseHeaders", "responseHeaders" in WebTransport.prototype);
        const plain = JSON.parse(await ask("/test/request")).fields;
        const set = JSON.parse(await ask("/test/request", { headers: { [args.name]: "forged" } })).fields;
        return [plain, set];
    """, name=name)
    assert fields[0] == fields[1]


# MARK: The answer


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_begins_a_session(page: Page, status: int) -> None:
    """draft-ietf-webtrans-http3 § 3.2."""
    assert page.run("""
        const session = await open(`/test/response?:status=${args.status}`);
        const alive = await isAlive(session);
        session.close();
        return alive;
    """, status=status)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500])
def test_any_other_status_fails_the_session(page: Page, status: int) -> None:
    """Both promises are rejected with an error of the session's."""
    ready, closed = page.run("""
        const session = connect(`/test/response?:status=${args.status}`);
        return Promise.all([outcome(session.ready), outcome(session.closed)]);
    """, status=status)
    for result in (ready, closed):
        assert (result["rejected"], result["source"]) == ("WebTransportError", "session")


def test_unknown_path_is_refused_and_the_next_is_not(page: Page) -> None:
    result, alive = page.run("""
        const refused = await outcome(connect("/nowhere").ready);
        const session = await open("/echo");
        const alive = await isAlive(session);
        session.close();
        return [refused, alive];
    """)
    assert (result["rejected"], result["source"], alive) == ("WebTransportError", "session", True)


def test_redirect_is_not_followed(page: Page) -> None:
    """W3C WebTransport § 6.1: redirects are network errors."""
    session, record = page.run("""
        const target = encodeURIComponent(`/test/count?token=${args.token}`);
        const session = connect(`/test/response?:status=307&location=${target}`);
        session.closed.catch(() => {});
        return [await outcome(session.ready), await noted()];
    """)
    assert session["rejected"] == "WebTransportError"
    assert record["sessions"] == 0


def test_bad_query_is_refused(page: Page) -> None:
    assert page.run("return outcome(connect('/test/streams?count=many').ready);")["rejected"] == "WebTransportError"


def test_foreign_origin_is_refused(page: Page) -> None:
    """draft-ietf-webtrans-http3 § 3.2: 403; the server never hands the session to its application."""
    page.go(page.pages.foreign)
    result = page.run("return outcome(connect(`/test/count?token=${args.token}`).ready);")
    assert (result["rejected"], result["source"]) == ("WebTransportError", "session")
    page.leave()
    assert page.run("return noted();")["sessions"] == 0


def test_unknown_response_fields_are_ignored(page: Page) -> None:
    assert page.run("""
        const session = await open("/test/response?x-unknown=1&link=%3C/a%3E&set-cookie=stolen%3D1");
        const alive = await isAlive(session);
        session.close();
        return alive && !document.cookie.includes("stolen");
    """)


@experimental
def test_fields_of_the_response_are_shown(page: Page) -> None:
    """W3C WebTransport § 6.1, responseHeaders: repeated ones combined."""
    shown = page.run("""
        need("WebTransport.responseHeaders", "responseHeaders" in WebTransport.prototype);
        const session = await open("/test/response?x-first=1&x-first=2&x-second=%22q%22");
        const shown = [...session.responseHeaders];
        session.close();
        return shown;
    """)
    assert {name: value for name, value in shown if name.startswith("x-")} == {"x-first": "1, 2", "x-second": '"q"'}


@experimental
@pytest.mark.parametrize("field", ["set-cookie=a%3Db", "wt-protocol=%22a%22"])
def test_fields_of_the_response_that_are_the_browsers_are_hidden(page: Page, field: str) -> None:
    shown = page.run("""
        need("WebTransport.responseHeaders", "responseHeaders" in WebTransport.prototype);
        const session = await open(`/test/response?${args.field}&x-shown=1`);
        const shown = [...session.responseHeaders].map(([name]) => name);
        session.close();
        return shown;
    """, field=field)
    assert "x-shown" in shown
    assert not {"set-cookie", "wt-protocol"} & set(shown)


@experimental
def test_session_that_is_refused_shows_no_fields(page: Page) -> None:
    assert page.run("""
        need("WebTransport.responseHeaders", "responseHeaders" in WebTransport.prototype);
        const session = connect("/test/response?:status=404&x-secret=1");
        session.closed.catch(() => {});
        await outcome(session.ready);
        return session.responseHeaders === null || [...session.responseHeaders].length === 0;
    """)


# MARK: What is agreed on


@pytest.mark.parametrize(("choice", "agreed"), [("a", "a"), ("b", "b"), ("other", ""), ("", "")])
def test_server_chooses_among_the_protocols_that_the_page_offers(page: Page, choice: str, agreed: str) -> None:
    """draft-ietf-webtrans-http3 § 3.3."""
    told, known = page.run("""
        need("WebTransport.protocol", "protocol" in WebTransport.prototype);
        const session = await open(`/test/protocol?choose=${args.choice}`, { protocols: ["a", "b"] });
        const told = await answer(session);
        session.close();
        return [told, session.protocol];
    """, choice=choice)
    assert (told, known) == (agreed, agreed)


def test_protocols_are_offered_as_a_list_of_strings(page: Page) -> None:
    """draft-ietf-webtrans-http3 § 3.3, RFC 8941 § 3.1: also such as no token could be."""
    request, protocol = page.run("""
        need("WebTransport.protocol", "protocol" in WebTransport.prototype);
        const session = await open("/test/request", { protocols: ["a", "b c", 'say "hi"'] });
        const request = JSON.parse(await answer(session));
        session.close();
        return [request, session.protocol];
    """)
    fields = {field["name"]: field["value"] for field in request["fields"]}
    assert fields["wt-available-protocols"] == '"a", "b c", "say \\"hi\\""'
    assert protocol == ""


@pytest.mark.parametrize("option", ["throughput", "low-latency"])
def test_congestion_control_option_is_taken(page: Page, option: str) -> None:
    assert page.run("""
        const session = await open("/echo", { congestionControl: args.option });
        const alive = await isAlive(session);
        session.close();
        return alive;
    """, option=option)


@experimental
@pytest.mark.parametrize("path", ["/echo", "/test/response?:status=204"])
def test_session_is_one_with_datagrams(page: Page, path: str) -> None:
    assert page.run("""
        need("WebTransport.reliability", "reliability" in WebTransport.prototype);
        const session = await open(args.path, { requireUnreliable: true });
        session.close();
        return session.reliability;
    """, path=path) == "supports-unreliable"


# MARK: Several


def test_many_sessions_at_once(page: Page) -> None:
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


def test_one_session_after_another(page: Page) -> None:
    numbers = page.run("""
        const numbers = [];
        for (let round = 0; round < 15; round += 1) numbers.push(await ask(`/test/count?token=${args.token}`));
        return numbers;
    """)
    assert numbers == [str(number) for number in range(1, 16)]


# MARK: Before the session is ready


def test_streams_asked_for_before_ready_work(page: Page) -> None:
    assert page.run("""
        const session = connect("/echo");
        session.closed.catch(() => {});
        const received = await echo(session, bytes("early"));
        await session.ready;
        session.close();
        return text(received);
    """) == "early"


def test_unidirectional_stream_asked_for_before_ready_works(page: Page) -> None:
    assert page.run("""
        const session = connect("/echo");
        session.closed.catch(() => {});
        await writeAll(await session.createUnidirectionalStream(), bytes("early"));
        const received = await readAll(await next(session.incomingUnidirectionalStreams));
        session.close();
        return text(received);
    """) == "early"


def test_datagrams_written_before_ready_arrive(page: Page) -> None:
    """The server holds what overtakes the request (draft-ietf-webtrans-http3 § 4.6)."""
    assert page.run("""
        const session = connect("/echo");
        session.closed.catch(() => {});
        const received = await exchange(session, bytes("early"));
        session.close();
        return text(received);
    """) == "early"


def test_reading_before_ready_waits_for_the_server(page: Page) -> None:
    assert page.run("""
        const session = connect("/test/streams?count=1");
        session.closed.catch(() => {});
        const [stream] = await take(session.incomingUnidirectionalStreams, 1);
        session.close();
        return stream;
    """) == "stream 0"


def test_close_before_ready_fails_both_promises(page: Page) -> None:
    """W3C WebTransport § 6.4; the server is none the worse."""
    ready, closed, alive = page.run("""
        const session = connect("/echo");
        session.close({ closeCode: 7, reason: "never mind" });
        const ends = await Promise.all([outcome(session.ready), outcome(session.closed)]);
        const another = await open("/echo");
        const alive = await isAlive(another);
        another.close();
        return [...ends, alive];
    """)
    for result in (ready, closed):
        assert (result["rejected"], result["source"]) == ("WebTransportError", "session")
    assert alive
