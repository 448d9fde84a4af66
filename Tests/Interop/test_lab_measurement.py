"""What the lab page makes of messages at fixed times, and of all durations: the same as `apus bench`.

Imported one by one into an empty page of the server's, as in test_lab_modules.py.
"""

import pytest

# Nanoseconds.
MILLISECOND = 1_000_000


@pytest.fixture
def module(run):
    """Runs a body in which `m` is the module."""
    return lambda name, body, **arguments: run(f"const m = await import('/lab/{name}.js');\n{body}", **arguments)


@pytest.fixture
def histogram(module):
    """Records values and answers an expression of the histogram `h`."""
    return lambda expression, values: module(
        "histogram",
        f"const h = new m.Histogram(); for (const value of args.values) h.record(value); return {expression};",
        values=values)


# Histograms.


@pytest.mark.parametrize(("value", "highest"), [
    (0, 0), (1, 1), (2047, 2047),  # below 2,048 each value has its own bucket
    (2048, 2049), (2049, 2049), (4095, 4095),  # then they are two wide
    (4096, 4099), (4100, 4103), (8191, 8191),  # then four
    (1_000_000, 1_000_447),  # 2¹⁹ ≤ it: 512 wide, the 1,953rd begins at 999,936
    (60_000_000_000, 60_028_878_847),  # 2³⁵ ≤ it: 2²⁵ wide, the 1,788th begins at 59,995,324,416
])
def test_a_bucket_is_as_wide_as_hdrhistogram_makes_it_for_three_digits(module, value, highest):
    assert module("histogram", "return m.highestEquivalent(args.value);", value=value) == highest


def test_a_bucket_tells_three_digits_apart_at_every_magnitude(module):
    values = [10 ** power + extra for power in range(12) for extra in (0, 1)]
    found = module("histogram", "return args.values.map(m.highestEquivalent);", values=values)
    assert all(value <= highest <= value * 1.001 for value, highest in zip(values, found))


def test_a_histogram_counts_by_the_highest_value_of_each_bucket(histogram):
    data = histogram("h.data", [5000, 3, 5001, 5003, 5004, 3])
    assert data["buckets"] == [[3, 2], [5003, 3], [5007, 1]]
    bounds = ("lowestDiscernibleValue", "highestTrackableValue", "significantDigits")
    assert [data[key] for key in bounds] == [1, 60_000_000_000, 3]


def test_the_extremes_are_exact_and_no_percentile_exceeds_them(histogram):
    values = [1_000_000, 1_000_001]
    assert histogram("[h.min, h.percentile(0.5), h.percentile(1), h.max]", values) == [
        1_000_000, 1_000_001, 1_000_001, 1_000_001]


def test_the_mean_takes_each_value_for_the_middle_of_its_bucket(histogram):
    assert histogram("h.mean", [10, 20]) == 15
    assert histogram("h.mean", [4096, 4099]) == 4098


def test_a_percentile_is_that_of_its_rank(histogram):
    assert histogram("[0, 0.5, 0.9, 0.99, 1].map((share) => h.percentile(share))", list(range(1, 101))) == [
        1, 50, 90, 99, 100]


def test_an_empty_histogram_is_all_zero(histogram):
    assert histogram("[h.count, h.min, h.max, h.mean, h.percentile(0.5), h.data.buckets]", []) == [0, 0, 0, 0, 0, []]


def test_a_summary_has_the_keys_of_the_record(module):
    summary = module("series", "const s = new m.Series(); s.record([3, 1, 2], 4); return s.summary;")
    assert summary == {
        "count": 3, "lost": 4, "min": 1, "p50": 2, "p90": 3, "p99": 3, "p999": 3, "max": 3, "mean": 2}


def test_each_turn_has_a_median_unless_all_was_lost(module):
    assert module("series", """
        const s = new m.Series();
        s.record([9, 1, 5]); s.record([], 2); s.record([4, 3, 2, 1]);
        return [s.turnMedians, s.lost];
    """) == [[5, 3], 2]


# Messages.


def filling(length: int) -> bytes:
    """As `apus bench` fills its messages: a linear congruential generator's high bytes."""
    state, made = 0x9E37_79B9, bytearray()
    for _ in range(length):
        state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
        made.append(state >> 24)
    return bytes(made)


@pytest.mark.parametrize(("size", "number"), [(8, 0), (64, 7), (1200, 2 ** 40 + 1)])
def test_a_message_is_its_number_and_what_apus_bench_fills_with(module, size, number):
    made = module("echo-message", "return Array.from(new m.EchoMessages(args.size).make(args.number));",
                  size=size, number=number)
    assert bytes(made) == number.to_bytes(8, "big") + filling(size - 8)


@pytest.mark.parametrize(("damage", "expected"), [
    ("echo", 9), ("echo.subarray(0, 31)", None), ("Uint8Array.from([...echo, 0])", None), ("new Uint8Array(0)", None),
    ("echo.with(31, echo[31] ^ 1)", None), ("echo.with(8, echo[8] ^ 1)", None),
])
def test_an_echo_is_taken_only_when_every_byte_is_right(module, damage, expected):
    assert module("echo-message", f"""
        const messages = new m.EchoMessages(32);
        const echo = messages.make(9);
        try {{ return messages.number({damage}); }} catch {{ return null; }}
    """) == expected


STREAM = """
    const stream = (chunks) => new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
"""


READ = STREAM + """
    const reader = (chunks) => new m.MessageReader(stream(chunks), 8);
"""


@pytest.mark.parametrize("sizes", [[24], [1] * 24, [5, 19], [13, 2, 9], [8, 0, 8, 8]])
def test_messages_are_cut_out_of_a_stream_however_it_arrives(module, sizes):
    assert module("message-reader", READ + """
        let value = 0;
        const messages = reader(args.sizes.map((size) => Uint8Array.from({ length: size }, () => value++)));
        const received = [];
        for (let each = await messages.next(); each !== null; each = await messages.next()) {
          received.push(Array.from(each));
        }
        return received;
    """, sizes=sizes) == [list(range(0, 8)), list(range(8, 16)), list(range(16, 24))]


def test_a_stream_that_ends_within_a_message_is_an_error(module):
    assert module("message-reader", READ + """
        const messages = reader([new Uint8Array(13)]);
        await messages.next();
        return messages.next().catch(({ name, message }) => [name, message]);
    """) == ["MismatchError", "a stream ended 3 bytes early"]


# Loads and outcomes.

# In binary fractions, which add up exactly. A message is due every 7.8125 ms.
LOAD = {"sequences": 2, "rate": 64, "seconds": 0.125, "warmUpSeconds": 0.0625}
INTERVAL = 7_812_500


def test_the_messages_of_all_sequences_are_spread_evenly(module):
    assert module("paced-load", """
        const numbers = [0, 1, 2, 3];
        return [m.messageCount(args.load), m.firstCounted(args.load),
          numbers.map((number) => m.due(args.load, number)), numbers.map((number) => m.sequenceOf(args.load, number))];
    """, load=LOAD) == [24, 8, [0, INTERVAL, 2 * INTERVAL, 3 * INTERVAL], [0, 1, 0, 1]]


def arrivals(module, steps: str, load=LOAD):
    return module("arrival-log", f"""
        const {{ EchoMessages }} = await import('/lab/echo-message.js');
        const messages = new EchoMessages(16);
        const seen = [];
        const log = new m.ArrivalLog(args.load, messages, 1000, (number, age) => seen.push([number, age]));
        {steps}
    """, load=load)


def test_ages_count_from_when_a_message_was_due_and_not_from_when_it_was_sent(module):
    assert arrivals(module, """
        log.sending(1000); log.sending(1022.8125);
        log.arrived(messages.make(1), 1027.8125);
        return [log.outcome.ages.slice(0, 3), log.outcome.lateness, seen];
    """) == [[None, 20 * MILLISECOND, None], [0, 15 * MILLISECOND], [[1, 20 * MILLISECOND]]]


def test_what_comes_twice_counts_once(module):
    assert arrivals(module, """
        log.sending(1000);
        log.arrived(messages.make(0), 1003); log.arrived(messages.make(0), 1009);
        return [log.outcome.ages[0], seen.length];
    """) == [3 * MILLISECOND, 1]


def test_an_echo_of_what_was_not_sent_is_an_error(module):
    assert "not sent" in arrivals(module, """
        log.sending(1000);
        try { log.arrived(messages.make(1), 1001); } catch ({ message }) { return message; }
    """)


def test_a_turn_is_complete_when_all_have_come_back(module):
    assert arrivals(module, """
        const numbers = Array.from({ length: 24 }, (_, number) => number);
        for (const number of numbers) log.sending(log.due(number));
        let isComplete = false;
        log.complete.then(() => { isComplete = true; });
        for (const number of numbers.slice(0, 23)) log.arrived(messages.make(number), 1200);
        await null;
        const before = isComplete;
        log.arrived(messages.make(23), 1200);
        await log.complete;
        return [before, isComplete];
    """) == [False, True]


ONE = {"sequences": 1, "rate": 100, "seconds": 0.04, "warmUpSeconds": 0.01}


@pytest.mark.parametrize(("ages", "fresh"), [
    ([1, 1, 1, 1, 1], 4),  # the first does not count
    ([1, None, 1, None, 1], 2),
    ([1, 25, 1, 1, 1], 3),  # the second comes when the fourth is known
    ([1, 10, 0, 1, 1], 4),  # two at the same time: the older came first
    ([None] * 5, 0),
])
def test_fresh_is_what_is_newer_than_all_that_came_before(module, ages, fresh):
    ages = [None if age is None else age * MILLISECOND for age in ages]
    assert module("paced-outcome", "return m.freshCount(args.load, args.ages);", load=ONE, ages=ages) == fresh


def test_fresh_is_a_matter_of_each_sequence(module):
    """A message of another sequence that came first does not make one old."""
    ages = [100 * MILLISECOND] + [0] * 23
    load = LOAD | {"warmUpSeconds": 0, "seconds": 0.1875}
    # The first of sequence 0 came when later ones were there; all others, also of sequence 1, are fresh.
    assert module("paced-outcome", "return m.freshCount(args.load, args.ages);", load=load, ages=ages) == 23


def test_staleness_is_the_age_of_the_newest_at_every_millisecond(module):
    """It grows until news comes, and what is lost lets it grow on."""
    ages = [2 * MILLISECOND, 2 * MILLISECOND, None, 5 * MILLISECOND, None]
    found = module("paced-outcome", "return m.staleness(args.load, args.ages);", load=ONE, ages=ages)
    # Looked at from 10 ms, when the second is due and the first is known, to 49 ms.
    expected = [10, 11] + list(range(2, 25)) + list(range(5, 20))
    assert [sample / MILLISECOND for sample in found] == expected


def test_nothing_is_stale_until_something_has_come(module):
    assert module("paced-outcome", "return m.staleness(args.load, args.ages);", load=ONE, ages=[None] * 5) == []


def test_the_warm_up_counts_nowhere(module):
    found = module("series", """
        const series = new m.PacedSeries();
        series.record(args.load, { ages: [9e9, null, 3e6, 4e6, 5e6], lateness: [9e9, 1e6, 2e6, 3e6, 4e6] });
        return [series.ages.summary.max, series.ages.lost, series.sent, series.lostShare, series.freshShare,
          series.lateness.summary.count, series.lateness.summary.max];
    """, load=ONE)
    assert found == [5 * MILLISECOND, 1, 4, 0.25, 0.75, 4, 4 * MILLISECOND]


# What is drawn while a turn runs.


def test_ages_are_drawn_at_the_time_when_messages_were_due(module):
    assert module("live-trace", "return m.agePoints(args.load, [[0, 5e6], [3, 2e6]]);", load=ONE) == [
        {"time": -0.01, "value": 5}, {"time": pytest.approx(0.02), "value": 2}]


def test_staleness_is_drawn_by_its_peaks(module):
    """The first brings no peak, as nothing was known before; what is older than the newest is no news."""
    [peaks] = module("live-trace", """
        return m.stalenessPeaks(args.load, [[0, 2e6], [2, 3e6], [1, 14e6], [3, 1e6]]);
    """, load=ONE)
    assert [(round(peak["time"], 3), peak["value"]) for peak in peaks] == [(0.013, 23), (0.021, 11)]


def test_an_alarm_never_rings_early_and_at_once_when_it_is_late(module):
    assert module("alarm", """
        const alarm = new m.Alarm();
        const { signal } = new AbortController();
        const time = performance.now() + 7.5;
        await alarm.until(time, signal);
        const early = performance.now() < time;
        await alarm.until(time - 1000, signal);
        alarm.close();
        return early;
    """) is False


def test_an_alarm_ends_with_its_signal(module):
    assert module("alarm", """
        const controller = new AbortController();
        const waiting = new m.Alarm().until(performance.now() + 1e9, controller.signal).catch(({ message }) => message);
        controller.abort(new Error("enough"));
        return waiting;
    """) == "enough"


# Turns on the real server.

KINDS = ["wt-datagram", "wt-stream", "wt-stream-per-sequence", "wt-bidi-per-message", "ws"]

TURN = """
    const target = { webtransport: args.base + args.path, websocket: args.ws + args.path, hashes: [args.hash] };
    const turn = { target, kind: args.kind, load: args.load, size: 32, patience: 5000 };
    const controller = new AbortController();
"""
SHORT = {"sequences": 3, "rate": 40, "seconds": 0.25, "warmUpSeconds": 0.125}


@pytest.mark.parametrize("kind", KINDS)
def test_a_turn_has_an_age_and_a_lateness_for_every_message(module, kind):
    ages, lateness, seen = module("paced", TURN + """
        let seen = 0;
        const { ages, lateness } = await m.pacedTurn(turn, controller.signal, () => { seen += 1; });
        return [ages, lateness, seen];
    """, kind=kind, load=SHORT, path="/echo")
    assert len(ages) == len(lateness) == 45
    arrived = [age for age in ages if age is not None]
    assert seen == len(arrived) > 0
    assert len(arrived) == len(ages) or kind == "wt-datagram"
    assert all(age >= late for age, late in zip(ages, lateness) if age is not None)


@pytest.mark.parametrize("kind", ["wt-stream", "ws"])
def test_a_turn_ends_with_the_reason_it_was_cancelled_for(module, kind):
    assert module("paced", TURN + """
        return m.pacedTurn(turn, controller.signal, () => controller.abort(new Error("enough")))
          .then(() => "ended", ({ message }) => message);
    """, kind=kind, load=SHORT | {"seconds": 600}, path="/echo") == "enough"


@pytest.mark.parametrize(("kind", "reason"), [("wt-stream", None), ("ws", "the WebSocket closed with 3007")])
def test_a_turn_whose_session_the_server_ends_is_an_error(module, kind, reason):
    message = module("paced", TURN + """
        return m.pacedTurn(turn, controller.signal).then(() => "", ({ message }) => message);
    """, kind=kind, load=SHORT | {"seconds": 600}, path="/close?code=3007&reason=bye")
    assert message and reason in (None, message)


def test_an_answer_that_is_no_echo_is_an_error(module):
    """/sink answers a message with a running total."""
    assert "differs from what was sent" in module("paced", TURN + """
        return m.pacedTurn(turn, controller.signal).then(() => "", ({ message }) => message);
    """, kind="ws", load=SHORT | {"seconds": 600}, path="/sink")


def test_a_message_too_large_for_a_datagram_is_an_error_of_its_own(module):
    assert module("paced", TURN + """
        return m.pacedTurn({ ...turn, size: 5000 }, controller.signal).then(() => "", ({ name }) => name);
    """, kind="wt-datagram", load=SHORT, path="/echo") == "TooLargeError"
