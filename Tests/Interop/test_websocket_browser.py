"""What a page in Chromium can do with the WebSocket beside WebTransport."""

import pytest

from conftest import run_script

OPEN = """
    const socket = new WebSocket(args.ws + args.path);
    socket.binaryType = "arraybuffer";
    const messages = [];
    const closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    });
    let arrived = () => {};
    socket.onmessage = ({ data }) => { messages.push(data); arrived(); };
    const message = async () => {
      while (messages.length === 0) await new Promise((resolve) => { arrived = resolve; });
      return messages.shift();
    };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("refused"));
    });
"""

REFUSED = """
    const socket = new WebSocket(args.ws + args.path);
    return new Promise((resolve) => {
      socket.onopen = () => { socket.close(); resolve("open"); };
      socket.onclose = ({ code }) => resolve(code);
    });
"""


def test_messages_come_back_with_their_kind(run):
    assert run(OPEN + """
        socket.send("größe");
        const first = await message();
        const data = pattern(70000);
        socket.send(data);
        const second = new Uint8Array(await message());
        socket.close();
        return [first, equal(second, data)];
    """, path="/echo") == ["größe", True]


def test_empty_messages_come_back(run):
    assert run(OPEN + """
        socket.send("");
        const first = await message();
        socket.send(new Uint8Array(0));
        const second = await message();
        socket.close();
        return [first, second.byteLength];
    """, path="/echo") == ["", 0]


def test_sink_answers_the_running_total(run):
    assert run(OPEN + """
        socket.send(new Uint8Array(1000));
        const first = await message();
        socket.send("four");
        const second = await message();
        socket.close();
        return [first, second];
    """, path="/sink") == ["1000", "1004"]


def test_source_sends_all_bytes_then_closes_normally(run):
    result = run(OPEN + """
        const info = await closed;
        return { sizes: messages.map((data) => data.byteLength), info };
    """, path="/source?bytes=40000")
    assert result["sizes"] == [16384, 16384, 7232]
    assert result["info"]["code"] == 1000 and result["info"]["wasClean"]


def test_close_by_the_server_carries_code_and_reason(run):
    assert run(OPEN + "return closed;", path="/close?code=4242&reason=bye") == {
        "code": 4242, "reason": "bye", "wasClean": True,
    }


def test_close_by_the_page_completes_the_handshake(run, server):
    assert run(OPEN + "socket.close(3001, 'done'); return closed;", path="/echo") == {
        "code": 3001, "reason": "done", "wasClean": True,
    }
    assert server.is_running


@pytest.mark.parametrize("path", ["/nowhere", "/healthz"])
def test_a_path_without_sessions_is_refused(run, path):
    assert run(REFUSED, path=path) == 1006


def test_foreign_origin_is_refused(browser, server, foreign_page):
    browser.get(foreign_page)
    assert run_script(browser, server, REFUSED, path="/echo") == 1006
