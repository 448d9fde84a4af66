"""The page that measures in a browser what a harness asks for, on the real server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

import harness as control
from harness import TIMEOUT, Echo, Harness

ROUND_TRIP = ["wt-datagram", "wt-stream", "wt-bidi-per-message", "ws"]
PACED = ["wt-datagram", "wt-stream", "wt-stream-per-sequence", "wt-bidi-per-message", "ws"]
LOAD = {"sequences": 2, "rate": 40, "seconds": 0.25, "warmUpSeconds": 0.125}
# A turn that nobody waits for the end of.
LONG = LOAD | {"seconds": 600}

# Answers once the page's status has the text.
STATUS = """
    const [text, done] = arguments;
    const status = document.getElementById("status");
    const observer = new MutationObserver(() => look());
    const look = () => {
      if (!status.textContent.includes(text)) return;
      observer.disconnect();
      done(status.textContent);
    };
    observer.observe(status, { subtree: true, childList: true, characterData: true });
    look();
"""


@pytest.fixture(params=["chromium", "firefox"])
def harness(request: pytest.FixtureRequest, server) -> Iterator[Harness]:
    driver = request.getfixturevalue("browser" if request.param == "chromium" else "firefox")
    with control.connected(driver, server.page) as connected:
        yield connected


@pytest.fixture
def target(server) -> dict:
    return target_of(server, "/echo")


def target_of(server, path: str) -> dict:
    return {"webtransport": server.https(path), "websocket": server.ws(path), "hashes": [server.sha256]}


def status(driver, text: str) -> str:
    return driver.execute_async_script(STATUS, text)


def round_trips(target: dict, transport: str, **changes: object) -> dict:
    return {"transport": transport, "target": target, "size": 64, "warmUp": 3, "messages": 20, "timeout": 5000,
            "sessions": 2} | changes


def paced(target: dict, transport: str, **changes: object) -> dict:
    return {"transport": transport, "target": target, "size": 64, "load": LOAD, "patience": 5000,
            "sessions": 2} | changes


def parameters(command: str, target: dict, kind: str) -> dict:
    transport = "ws" if kind == "websocket" else "wt-stream"
    return {
        "begin": {"kind": kind, "target": target, "size": 64},
        "roundTrips": round_trips(target, transport, sessions=1),
        "paced": paced(target, transport, sessions=1),
    }[command]


# What is measured.


def test_the_page_says_first_how_exactly_it_measures(harness):
    assert set(harness.hello) == {"userAgent", "crossOriginIsolated", "clockResolution"}
    assert harness.hello["crossOriginIsolated"] is True
    assert "Mozilla/5.0" in harness.hello["userAgent"]
    assert 0 < harness.hello["clockResolution"] < 1_000_000


@pytest.mark.parametrize("kind", ["webtransport", "websocket"])
def test_a_session_begins_before_its_first_echo(harness, target, kind):
    for _ in range(2):
        times = harness.result("begin", kind=kind, target=target, size=64)
        assert set(times) == {"session", "firstEcho"}
        assert 0 < times["session"] < times["firstEcho"]


@pytest.mark.parametrize("transport", ROUND_TRIP)
def test_every_session_makes_its_round_trips(harness, target, transport):
    sessions = harness.result("roundTrips", **round_trips(target, transport))["sessions"]
    assert len(sessions) == 2
    for session in sessions:
        assert len(session["nanoseconds"]) + session["lost"] == 20
        assert session["lost"] == 0 or transport == "wt-datagram"
        assert all(isinstance(value, int) and value > 0 for value in session["nanoseconds"])


@pytest.mark.parametrize("transport", PACED)
def test_every_session_has_an_age_and_a_lateness_for_each_message(harness, target, transport):
    sessions = harness.result("paced", **paced(target, transport))["sessions"]
    assert len(sessions) == 2
    for session in sessions:
        ages, lateness = session["ages"], session["lateness"]
        assert len(ages) == len(lateness) == 30
        assert transport == "wt-datagram" or None not in ages
        assert any(age is not None for age in ages)
        assert all(age >= late >= 0 for age, late in zip(ages, lateness) if age is not None)


@pytest.mark.parametrize("command", ["roundTrips", "paced"])
def test_all_sessions_are_open_before_the_first_message(harness, target, command):
    events: list[str] = []

    def echo(connection) -> None:
        for message in connection:
            events.append("message")
            connection.send(message)

    # Called before the handshake is answered.
    with control.served(echo, process_request=lambda *_: events.append("open")) as address:
        target = target | {"websocket": address}
        harness.result(command, **parameters(command, target, "websocket") | {"sessions": 3})
    assert events[:4] == ["open"] * 3 + ["message"]
    assert events.count("open") == 3


@pytest.mark.parametrize("transport", ["wt-stream", "wt-bidi-per-message", "ws"])
def test_messages_larger_than_a_window_come_back_whole(harness, target, transport):
    [session] = harness.result(
        "roundTrips", **round_trips(target, transport, size=1 << 20, warmUp=0, messages=2, sessions=1))["sessions"]
    assert len(session["nanoseconds"]) == 2


def test_an_answer_holds_a_hundred_thousand_numbers(harness, target):
    load = {"sequences": 10, "rate": 5000, "seconds": 1, "warmUpSeconds": 0}
    [session] = harness.result("paced", **paced(target, "ws", load=load, patience=60_000, sessions=1))["sessions"]
    assert len(session["ages"]) == len(session["lateness"]) == 50_000
    assert None not in session["ages"]


def test_a_datagram_that_does_not_come_back_is_lost(harness, server):
    """/source echoes none."""
    silent = target_of(server, "/source?bytes=1")
    [session] = harness.result(
        "roundTrips", **round_trips(silent, "wt-datagram", timeout=1, warmUp=1, messages=3, sessions=1))["sessions"]
    assert session == {"nanoseconds": [], "lost": 3}


# What goes wrong.


@pytest.mark.parametrize("command", ["begin", "roundTrips", "paced"])
@pytest.mark.parametrize("kind", ["webtransport", "websocket"])
def test_a_target_that_gives_no_session_is_unavailable(harness, server, command, kind):
    found, message = harness.error(command, **parameters(command, target_of(server, "/nothing"), kind))
    assert found == "unavailable"
    assert "/nothing gives no session" in message


def test_a_certificate_of_another_hash_is_unavailable(harness, target):
    found, _ = harness.error("begin", kind="webtransport", target=target | {"hashes": ["ab" * 32]}, size=64)
    assert found == "unavailable"


@pytest.mark.parametrize("command", ["roundTrips", "paced"])
def test_a_session_that_ends_early_is_unavailable(harness, target, command):
    with control.served(Echo(2, control.close)) as address:
        found = harness.error(command, **parameters(command, target | {"websocket": address}, "websocket"))
    assert found == ("unavailable", "the WebSocket closed with 3007")


@pytest.mark.parametrize("act", [control.damaged, control.shortened, control.as_text])
@pytest.mark.parametrize("command", ["begin", "roundTrips", "paced"])
def test_an_echo_that_differs_is_a_mismatch(harness, target, command, act):
    with control.served(Echo(1, act)) as address:
        found, message = harness.error(command, **parameters(command, target | {"websocket": address}, "websocket"))
    assert found == "mismatch"
    assert "differs from what was sent" in message


@pytest.mark.parametrize("command", ["roundTrips", "paced"])
def test_a_stream_that_ends_without_the_echo_is_a_mismatch(harness, server, command):
    """/sink answers with the number of bytes."""
    changes = {"transport": "wt-bidi-per-message"}
    found, _ = harness.error(command, **parameters(command, target_of(server, "/sink"), "webtransport") | changes)
    assert found == "mismatch"


@pytest.mark.parametrize("command", ["roundTrips", "paced"])
def test_a_message_larger_than_a_datagram_is_too_large(harness, target, command):
    changes = {"transport": "wt-datagram", "size": 5000}
    found, message = harness.error(command, **parameters(command, target, "webtransport") | changes)
    assert found == "tooLarge"
    assert message.startswith("5000 bytes do not fit a datagram (at most ")


def test_a_failure_leaves_the_page_ready_for_the_next_command(harness, target):
    harness.error("begin", kind="websocket", target=target | {"websocket": "ws://127.0.0.1:1"}, size=64)
    assert harness.result("begin", kind="websocket", target=target, size=64)["session"] > 0


@pytest.mark.parametrize("text", ["{", "[]", "7", '"begin"', '{"command": "begin"'])
def test_what_is_no_command_is_an_error_without_a_number(harness, text):
    harness.send_text(text)
    answer = harness.receive()
    assert (answer["id"], answer["error"]["kind"]) == (None, "unsupported")
    assert answer["error"]["message"].startswith("a command must be ")


@pytest.mark.parametrize("name", ["ready", "toString", ""])
def test_a_command_that_does_not_exist_is_unsupported(harness, name):
    assert harness.error(name) == ("unsupported", f"there is no command {json.dumps(name)}")


def test_a_second_command_at_a_time_is_unsupported(harness, target):
    first = harness.send("paced", **paced(target, "ws", load=LONG))
    second = harness.send("begin", kind="websocket", target=target, size=64)
    assert harness.error_of(second)[0] == "unsupported"
    harness.send("cancel")
    assert harness.error_of(first)[0] == "cancelled"


# Cancelling.


@pytest.mark.parametrize("transport", PACED)
def test_a_paced_turn_that_is_cancelled_says_so(harness, target, transport):
    number = harness.send("paced", **paced(target, transport, load=LONG))
    assert "Measuring" in status(harness.driver, "messages at fixed times: ")
    harness.send("cancel")
    assert harness.error_of(number) == ("cancelled", "the command was cancelled")


@pytest.mark.parametrize("transport", ROUND_TRIP)
def test_round_trips_that_are_cancelled_say_so(harness, target, transport):
    number = harness.send("roundTrips", **round_trips(target, transport, messages=500_000))
    harness.send("cancel")
    assert harness.error_of(number)[0] == "cancelled"
    assert harness.result("roundTrips", **round_trips(target, transport))["sessions"]


@pytest.mark.parametrize("command", ["begin", "roundTrips"])
def test_an_echo_that_never_comes_can_be_cancelled(harness, target, command):
    silent = Echo(1)
    with control.served(silent) as address:
        number = harness.send(command, **parameters(command, target | {"websocket": address}, "websocket"))
        assert silent.reached.wait(TIMEOUT)
        harness.send("cancel")
        assert harness.error_of(number)[0] == "cancelled"
        assert silent.left.wait(TIMEOUT), "its session is closed"


@pytest.mark.parametrize("kind", ["webtransport", "websocket"])
def test_a_handshake_that_is_never_answered_can_be_cancelled(harness, kind):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = listener.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        silent = {"webtransport": f"https://127.0.0.1:{port}/", "websocket": f"ws://127.0.0.1:{port}/",
                  "hashes": ["ab" * 32]}
        number = harness.send("begin", kind=kind, target=silent, size=64)
        if kind == "websocket":
            connection, _ = listener.accept()
        else:
            connection = datagrams
            connection.recv(2048)
        with connection:
            harness.send("cancel")
            assert harness.error_of(number)[0] == "cancelled"


def test_cancel_answers_nothing_where_nothing_runs(harness):
    harness.send("cancel")
    assert harness.error("nothing")[0] == "unsupported"


# The end.


def test_a_page_whose_harness_has_gone_measures_no_more_and_says_so(harness, target):
    echo = Echo(0)
    with control.served(echo) as address:
        harness.send("paced", **paced(target | {"websocket": address}, "ws", load=LONG, sessions=1))
        status(harness.driver, "Measuring")
        harness.leave()
        assert "nothing is measured any more" in status(harness.driver, "Ended")
        assert echo.left.wait(TIMEOUT), "its session is closed"


def test_a_page_without_a_harness_says_so(browser, server):
    browser.get(f"{server.page}lab/measure.html#control=ws://127.0.0.1:1/")
    assert "ws://127.0.0.1:1/ gives no control connection" in status(browser, "Cannot measure")


def test_a_page_looks_for_its_harness_where_it_comes_from(browser, server):
    browser.get(f"{server.page}lab/measure.html")
    assert server.ws("/control") in status(browser, "gives no control connection")
    assert browser.title == "Apus measurement"
