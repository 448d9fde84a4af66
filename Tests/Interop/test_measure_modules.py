"""The parts of the page that measures for a harness, imported one by one into an empty page of the server's."""

import pytest

HASH = "ab" * 32
TARGET = {"webtransport": "https://localhost:1/echo", "websocket": "ws://localhost:1/echo", "hashes": [HASH]}
LOAD = {"sequences": 2, "rate": 64, "seconds": 0.125, "warmUpSeconds": 0.0625}
COMMANDS = {
    "begin": {"kind": "websocket", "target": TARGET, "size": 8},
    "roundTrips": {
        "transport": "ws", "target": TARGET, "size": 8, "warmUp": 0, "messages": 0, "timeout": 1, "sessions": 1},
    "paced": {"transport": "ws", "target": TARGET, "size": 8, "load": LOAD, "patience": 0, "sessions": 1},
}


@pytest.fixture
def module(run):
    """Runs a body in which `m` is the module."""
    return lambda name, body, **arguments: run(f"const m = await import('/lab/{name}.js');\n{body}", **arguments)


# Commands.


def assignment(module, command: str, **changes: object):
    """The assignment, or the error as name and message."""
    return module("measure-commands", """
        try { return m.assignment(args.command); } catch ({ name, message }) { return [name, message]; }
    """, command={"command": command} | COMMANDS[command] | changes)


@pytest.mark.parametrize(("command", "task"), [
    ("begin", "startTimes"), ("roundTrips", "roundTrips"), ("paced", "pacedTurns")])
def test_a_command_becomes_a_task_of_the_worker(module, command, task):
    made = assignment(module, command, id=7, more="ignored")
    expected = dict(COMMANDS[command])
    if command == "paced":
        expected["kind"] = expected.pop("transport")
    assert (made["task"], made["parameters"]) == (task, expected)
    assert made["activity"]


@pytest.mark.parametrize(("command", "changes", "expected"), [
    ("begin", {"kind": "ws"}, 'kind must be one of webtransport, websocket, not "ws"'),
    ("begin", {"size": 7}, "size must be a whole number from 8, not 7"),
    ("begin", {"size": "8"}, 'size must be a whole number from 8, not "8"'),
    ("begin", {"size": 8.5}, "size must be a whole number from 8, not 8.5"),
    ("begin", {"target": None}, "target must have two addresses, webtransport and websocket, and an array of hashes"),
    ("begin", {"target": TARGET | {"hashes": HASH}},
     "target must have two addresses, webtransport and websocket, and an array of hashes"),
    ("begin", {"target": TARGET | {"hashes": ["ab"]}}, 'a certificate\'s hash is 64 hexadecimal digits, not "ab"'),
    ("roundTrips", {"transport": "wt-stream-per-sequence"},
     'transport must be one of wt-datagram, wt-stream, wt-bidi-per-message, ws, not "wt-stream-per-sequence"'),
    ("roundTrips", {"warmUp": -1}, "warmUp must be a whole number from 0, not -1"),
    ("roundTrips", {"messages": None}, "messages must be a whole number from 0, not null"),
    ("roundTrips", {"sessions": 0}, "sessions must be a whole number from 1, not 0"),
    ("roundTrips", {"timeout": 2 ** 31},
     "timeout must be a whole number of milliseconds below 2^31, not 2147483648"),
    ("roundTrips", {"messages": 500_001, "sessions": 2}, "an answer has at most 1000000 numbers, not 1000002"),
    ("paced", {"load": [1]}, "load must have sequences, rate, seconds and warmUpSeconds"),
    ("paced", {"load": LOAD | {"sequences": 0}}, "load.sequences must be a whole number from 1, not 0"),
    ("paced", {"load": LOAD | {"rate": 0}}, "load.rate must be a number above 0, not 0"),
    ("paced", {"load": LOAD | {"warmUpSeconds": -1}}, "load.warmUpSeconds must be a number from 0, not -1"),
    ("paced", {"patience": -1}, "patience must be a whole number from 0, not -1"),
    ("paced", {"load": LOAD | {"seconds": 1e9}}, "an answer has at most 1000000 numbers, not 256000000016"),
])
def test_a_command_that_cannot_be_served_says_what_must_be(module, command, changes, expected):
    assert assignment(module, command, **changes) == ["UnsupportedError", expected]


# Their answers.

CONTROL = """
    const sent = [];
    const shown = [];
    const tasks = [];
    const run = (task, parameters, signal) => new Promise((resolve, reject) => {
      tasks.push({ task, signal, resolve, reject });
    });
    const control = new m.MeasureControl(run, {
      send: (text) => sent.push(JSON.parse(text)), show: (activity) => shown.push(activity),
    });
    const command = (id) => JSON.stringify({ id, ...args.command });
"""
BEGIN = {"command": "begin"} | COMMANDS["begin"]


def controlled(module, steps: str):
    return module("measure-control", CONTROL + steps, command=BEGIN)


def test_commands_follow_one_another(module):
    sent, shown = controlled(module, """
        for (const id of [1, "two"]) {
          const served = control.receive(command(id));
          tasks.at(-1).resolve({ session: id });
          await served;
        }
        return [sent, shown];
    """)
    assert sent == [{"id": 1, "result": {"session": 1}}, {"id": "two", "result": {"session": "two"}}]
    assert shown == ["opening sessions", None] * 2


@pytest.mark.parametrize(("name", "kind"), [
    ("MismatchError", "mismatch"), ("TooLargeError", "tooLarge"), ("UnsupportedError", "unsupported"),
    ("WebTransportError", "unavailable"), ("Error", "unavailable"), ("AbortError", "unavailable"),
])
def test_an_error_is_told_by_its_name(module, name, kind):
    assert controlled(module, f"""
        const served = control.receive(command(1));
        tasks[0].reject(Object.assign(new Error("it is so"), {{ name: "{name}" }}));
        await served;
        return sent;
    """) == [{"id": 1, "error": {"kind": kind, "message": "it is so"}}]


def test_a_command_that_was_cancelled_says_so_whatever_it_fails_with(module):
    assert controlled(module, """
        const served = control.receive(command(1));
        await control.receive('{"id": 2, "command": "cancel"}');
        const { aborted } = tasks[0].signal;
        tasks[0].reject(new Error("the session ended"));
        await served;
        return [aborted, sent];
    """) == [True, [{"id": 1, "error": {"kind": "cancelled", "message": "the command was cancelled"}}]]


def test_a_second_command_leaves_the_first_alone(module):
    assert controlled(module, """
        const first = control.receive(command(1));
        await control.receive(command(2));
        tasks[0].resolve(null);
        await first;
        return [tasks.length, sent.map(({ id, error }) => [id, error?.kind ?? null])];
    """) == [1, [[2, "unsupported"], [1, None]]]


# What they are made of.


def test_an_echo_of_another_message_is_a_mismatch(module):
    assert module("conversation", """
        const { EchoMessages } = await import('/lab/echo-message.js');
        const conversation = new m.Conversation(async () => new EchoMessages(16).make(1), 16);
        const first = await conversation.roundTrip();
        return [first >= 0, await conversation.roundTrip().catch(({ name, message }) => [name, message])];
    """) == [True, ["MismatchError", "the echo of message 1 came back for message 2"]]


# A session to which come the datagrams that `arrive` is given.
DATAGRAMS = """
    const { EchoMessages } = await import('/lab/echo-message.js');
    const messages = new EchoMessages(16);
    let arrive;
    const session = { datagrams: {
      maxDatagramSize: 1000,
      readable: new ReadableStream({ start(controller) { arrive = (datagram) => controller.enqueue(datagram); } }),
      writable: new WritableStream(),
    } };
"""


def test_the_late_echo_of_a_datagram_that_counts_as_lost_answers_for_no_other(module):
    assert module("echo-transports", DATAGRAMS + """
        const echo = await m.openEcho("wt-datagram", session, { size: 16, timeout: 1 });
        const lost = await echo(messages.make(1));
        const second = echo(messages.make(2));
        // Taken before any timer.
        arrive(messages.make(1));
        arrive(messages.make(2));
        return [lost, messages.number(await second)];
    """) == [None, 2]


def test_a_datagram_too_short_for_a_number_is_taken_for_the_echo(module):
    """It is none, and is found out when it is compared."""
    assert module("echo-transports", DATAGRAMS + """
        const { Conversation } = await import('/lab/conversation.js');
        const conversation = new Conversation(
          await m.openEcho("wt-datagram", session, { size: 16, timeout: 60_000 }), 16);
        const trip = conversation.roundTrip();
        arrive(new Uint8Array(3));
        return trip.catch(({ name }) => name);
    """) == "MismatchError"


LIFETIME = """
    const controller = new AbortController();
    const never = new Promise(() => {});
    const message = (promise) => promise.then(() => null, (error) => error.message);
"""


@pytest.mark.parametrize(("ending", "expected"), [
    ("lifetime.fail(new Error('the first')); lifetime.fail(new Error('the second')); return never;", "the first"),
    ("lifetime.fail(new Error('why')); throw new Error('what came of it');", "why"),
    ("throw new Error('alone');", "alone"),
    ("controller.abort(new Error('enough')); return never;", "enough"),
    ("return 1;", None),
])
def test_a_lifetime_ends_for_its_first_reason_and_ends_what_lives_in_it(module, ending, expected):
    assert module("lifetime", LIFETIME + f"""
        let isOver = false;
        const ended = await message(m.withLifetime(controller.signal, async (lifetime) => {{
          lifetime.signal.addEventListener("abort", () => {{ isOver = true; }});
          {ending}
        }}));
        return [ended, isOver];
    """) == [expected, True]


def test_nothing_begins_that_is_cancelled_already(module):
    assert module("lifetime", LIFETIME + """
        controller.abort(new Error("enough"));
        let hasBegun = false;
        const ended = await message(m.withLifetime(controller.signal, async () => { hasBegun = true; }));
        return [ended, hasBegun];
    """) == ["enough", False]


def test_a_browser_without_webtransport_is_unsupported(module):
    assert module("sessions", """
        delete globalThis.WebTransport;
        return m.openWebTransport({}, { signal: new AbortController().signal, fail() {} }).catch(({ name }) => name);
    """) == "UnsupportedError"
