"""Where a page's session may live, and that it does not outlive that place, in every browser that is here."""

from __future__ import annotations

import pytest

from behaviours import Page, browsers_fault

WORKERS = ["dedicated", "shared", "service"]

# MARK: Workers


@pytest.mark.parametrize("worker", WORKERS)
def test_streams_and_datagrams_work_in_a_worker(page: Page, worker: str) -> None:
    assert page.run_in(worker, """
        const session = await open("/echo");
        const seen = [text(await echo(session, bytes("both ways"))), text(await exchange(session, bytes("datagram")))];
        await writeAll(await session.createUnidirectionalStream(), bytes("one way"));
        seen.push(text(await readAll(await next(session.incomingUnidirectionalStreams))));
        session.close();
        return seen;
    """) == ["both ways", "datagram", "one way"]


@pytest.mark.parametrize("worker", WORKERS)
def test_large_echo_in_a_worker(page: Page, worker: str) -> None:
    assert page.run_in(worker, """
        const session = await open("/echo");
        const data = pattern(1 << 20);
        const received = await echo(session, data);
        session.close();
        return equal(received, data);
    """)


@pytest.mark.parametrize("worker", WORKERS)
def test_close_by_a_worker_reaches_the_server(page: Page, worker: str) -> None:
    record = page.run_in(worker, """
        const session = await recorded();
        session.close({ closeCode: 77, reason: "from a worker" });
        return noted("&session=1");
    """)
    assert record["end"] == {"isAbnormal": False, "code": 77, "reason": "from a worker"}


@pytest.mark.parametrize("worker", WORKERS)
def test_close_by_the_server_reaches_a_worker(page: Page, worker: str) -> None:
    assert page.run_in(worker, """
        const session = await open("/close?code=78&reason=to%20a%20worker");
        const { closeCode, reason } = await session.closed;
        return [closeCode, reason];
    """) == [78, "to a worker"]


@pytest.mark.parametrize("worker", WORKERS)
def test_streams_of_the_servers_reach_a_worker(page: Page, worker: str) -> None:
    assert sorted(page.run_in(worker, """
        const session = await open("/test/streams?count=5");
        const texts = await take(session.incomingUnidirectionalStreams, 5);
        session.close();
        return texts;
    """)) == [f"stream {number}" for number in range(5)]


@pytest.mark.parametrize("worker", WORKERS)
def test_refusal_reaches_a_worker(page: Page, worker: str) -> None:
    result = page.run_in(worker, "return outcome(connect('/nowhere').ready);")
    assert (result["rejected"], result["source"]) == ("WebTransportError", "session")


def test_request_of_a_worker_has_its_pages_origin(page: Page) -> None:
    request = page.run_in("dedicated", "return JSON.parse(await ask('/test/request'));")
    fields = {field["name"]: field["value"] for field in request["fields"]}
    assert fields["origin"] == page.pages.local.rstrip("/")


# MARK: The end of the place

KEPT = "a session outlives the page or the frame that opened it, and is kept alive"


@browsers_fault("firefox", KEPT, shows="never")
def test_leaving_the_page_ends_the_session_at_the_server(page: Page) -> None:
    page.run("globalThis.kept = await recorded();")
    page.leave()
    assert page.run("return within(noted('&session=1'));") != "never"


@browsers_fault("firefox", KEPT, shows="never")
def test_page_that_is_gone_back_to_has_lost_its_session(page: Page) -> None:
    """Whether the browser has kept the page or loads it again: the server has seen the end."""
    page.run("globalThis.kept = await recorded(); globalThis.end = outcome(kept.closed);")
    page.go(page.pages.local)
    page.back()
    assert page.run("return within(noted('&session=1'));") != "never"
    assert page.run("return globalThis.end === undefined || await within(end);") != "never"


@browsers_fault("firefox", KEPT, shows="never")
def test_removal_of_a_frame_ends_its_session_at_the_server(page: Page) -> None:
    assert page.run("""
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
        return within(noted("&session=1"));
    """) != "never"


def test_removal_of_a_frame_leaves_the_pages_own_session(page: Page) -> None:
    assert page.run("""
        const session = await open("/echo");
        const frame = document.createElement("iframe");
        frame.src = location.href;
        const loaded = new Promise((resolve) => { frame.onload = resolve; });
        document.documentElement.append(frame);
        await loaded;
        const other = new frame.contentWindow.WebTransport(`${args.base}/echo`, {
          serverCertificateHashes: [{ algorithm: "sha-256", value: hashValue }],
        });
        await other.ready;
        frame.remove();
        const alive = await isAlive(session);
        session.close();
        return alive;
    """)


@browsers_fault("firefox", "a session outlives the worker that opened it", shows="never")
def test_end_of_a_worker_ends_its_session_at_the_server(page: Page) -> None:
    page.go(page.pages.local)
    assert page.run("""
        const worker = new Worker("/worker.js");
        const { port1, port2 } = new MessageChannel();
        const answered = new Promise((resolve) => { port1.onmessage = ({ data }) => resolve(data); });
        const body = `
          globalThis.kept = new WebTransport(args.url, {
            serverCertificateHashes: [{ algorithm: "sha-256", value: args.hash }] });
          await kept.ready;`;
        const url = `${args.base}/test/record?token=${args.token}`;
        worker.postMessage({ body, args: { url, hash: hashValue } }, [port2]);
        await answered;
        worker.terminate();
        return within(noted("&session=1"));
    """) != "never"


# MARK: Content-Security-Policy

TRIES = """
    const session = connect(`/test/count?token=${args.token}`);
    session.closed.catch(() => {});
    const result = await outcome(session.ready);
    if ("rejected" in result) return result.rejected;
    const said = await answer(session);
    session.close();
    return `session ${said}`;
"""


@pytest.mark.parametrize("sources", ["'none'", "'self'", "https://elsewhere.example"])
def test_policy_without_the_server_keeps_the_page_from_it(page: Page, sources: str) -> None:
    """CSP § 6.1.2, connect-src: the server sees no request."""
    page.go(page.pages.under(f"connect-src {sources}"))
    assert page.run(TRIES) == "WebTransportError"
    page.leave()
    assert page.run("return noted();")["sessions"] == 0


@pytest.mark.parametrize("sources", ["*", "{server}", "https://localhost:*"])
def test_policy_with_the_server_lets_the_page_to_it(page: Page, sources: str) -> None:
    page.go(page.pages.under(f"connect-src {sources.format(server=page.server.https(''))}"))
    assert page.run(TRIES) == "session 1"
