"""The pure parts of the lab page, imported one by one into an empty page of the server's."""

import pytest


@pytest.fixture
def module(run):
    """Runs a body in which `m` is the module."""
    return lambda name, body, **arguments: run(f"const m = await import('/lab/{name}.js');\n{body}", **arguments)


@pytest.mark.parametrize(("count", "share", "expected"), [
    (1, 0.5, 1), (1, 0.99, 1), (2, 0.5, 1), (3, 0.5, 2), (100, 0.9, 90), (100, 0.99, 99), (1000, 0.999, 999),
    (10, 0, 1), (10, 1, 10),
])
def test_a_percentile_is_the_nearest_rank(module, count, share, expected):
    assert module("statistics", "return m.rank(args.count, args.share);", count=count, share=share) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (10, 1), (99, 1), (100, 2), (999, 2), (1000, 3), (100000, 5)])
def test_the_curve_ends_at_the_last_nine_the_samples_support(module, count, expected):
    assert module("statistics", "return m.nines(args.count);", count=count) == expected


def test_the_curve_rises_from_the_minimum(module):
    points = module("statistics", """
        const { Histogram } = await import('/lab/histogram.js');
        const histogram = new Histogram();
        for (let value = 1; value <= 500; value += 1) histogram.record(value);
        return m.percentileCurve(histogram, 20);
    """)
    values = [point["value"] for point in points]
    assert values[0] == 1 and values == sorted(values) and points[-1]["depth"] == 2


def test_every_transport_takes_every_place_in_the_rounds(module):
    orders = module("statistics", "return [0, 1, 2, 3, 4].map((round) => m.rotated([...'abcd'], round).join(''));")
    assert orders == ["abcd", "bcda", "cdab", "dabc", "abcd"]


@pytest.mark.parametrize(("total", "parts"), [(10, 3), (1000, 20), (3, 20), (1, 1), (7, 7)])
def test_rounds_add_up_and_differ_by_one_at_most(module, total, parts):
    sizes = module("statistics", "return m.split(args.total, args.parts);", total=total, parts=parts)
    assert sum(sizes) == total and max(sizes) - min(sizes) <= 1 and min(sizes) >= 1


def test_scales_map_the_ends_of_the_domain_to_the_ends_of_the_range(module):
    assert module("scales", """
        const log = m.logarithmic([0.1, 10], [300, 0]);
        const lin = m.linear([0, 4], [10, 50]);
        return [log(0.1), log(1), log(10), log(0), lin(0), lin(4)];
    """) == pytest.approx([300, 150, 0, 300, 10, 50])


@pytest.mark.parametrize(("low", "high"), [(0.13, 7), (1, 1), (0.2, 0.2), (3, 4), (0.004, 900)])
def test_the_axis_encloses_its_values_in_steps(module, low, high):
    bottom, top = module("scales", "return m.enclosingSteps(args.low, args.high);", low=low, high=high)
    assert bottom <= low * 1.001 and top >= high * 0.999 and bottom < top


def test_ticks_are_thinned(module):
    assert module("scales", "return m.logarithmicTicks(0.1, 1, 8);") == [0.1, 0.2, 0.5, 1]
    assert module("scales", "return m.logarithmicTicks(0.001, 1000, 8);") == [0.001, 0.01, 0.1, 1, 10, 100, 1000]


@pytest.mark.parametrize(("high", "limit", "expected"), [
    (2, 4, [0, 1, 2]), (2, 8, [0, 0.5, 1, 1.5, 2]), (1, 8, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    (60, 8, [0, 10, 20, 30, 40, 50, 60]), (0.5, 4, [0, 0.2, 0.4]),
])
def test_linear_ticks_are_round_and_few(module, high, limit, expected):
    assert module("scales", "return m.linearTicks(0, args.high, args.limit);", high=high, limit=limit) == expected


def test_labels_are_moved_apart_within_bounds(module):
    placed = module("scales", "return m.spread([50, 52, 99, 51], 10, [0, 100]);")
    ordered = sorted(placed)
    assert all(b - a >= 10 for a, b in zip(ordered, ordered[1:])) and 0 <= ordered[0] and ordered[-1] <= 100
    assert placed[0] < placed[3] < placed[1] < placed[2]


def test_the_log_is_bounded_and_counts_what_it_dropped(module):
    assert module("event-log", """
        const log = new m.EventLog(3);
        for (const text of ["a", "b", "c", "d", "e"]) {
          log.append({ kind: "state", direction: "local", text, size: null }, new Date(0));
        }
        return [log.entries.map(({ text }) => text).join(""), log.dropped];
    """) == ["cde", 2]


@pytest.mark.parametrize(("value", "expected"), [
    (0.005, "5.00 µs"), (0.1234, "123 µs"), (1, "1.00 ms"), (12.34, "12.3 ms"), (1500, "1.50 s"),
])
def test_durations_have_three_digits(module, value, expected):
    assert module("format", "return m.duration(args.value);", value=value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "0 %"), (1, "100 %"), (0.00123, "0.12 %"), (0.5, "50 %")])
def test_shares_have_two_digits_after_the_point_at_most(module, value, expected):
    assert module("format", "return m.share(args.value);", value=value) == expected


@pytest.mark.parametrize(("data", "expected"), [
    (list("swift".encode()), "swift"), ([], ""), ([0, 1, 255], "00 01 ff"), (list("größe".encode()), "größe"),
])
def test_bytes_are_shown_as_text_or_hex(module, data, expected):
    assert module("format", "return m.preview(Uint8Array.from(args.data));", data=data) == expected


def test_a_character_cut_in_two_is_left_out(module):
    assert module("format", "return m.preview(new TextEncoder().encode('aaaö'), 4);") == "aaa…"


@pytest.mark.parametrize(("text", "valid"), [
    ("ab" * 32, True), (":".join(["AB"] * 32), True), ("ab" * 31, False), ("zz" * 32, False),
])
def test_hashes_are_64_hexadecimal_digits(module, text, valid):
    assert module("format", "return m.hashBytes(args.text) !== null;", text=text) is valid


BASE = {
    "transport": "webtransport", "event": "refused", "ownServer": True, "healthy": True,
    "pathOpens": True, "echoOpens": True, "hashOffered": True, "hashAllowed": True, "expired": False,
    "hostname": "example.org",
}


@pytest.mark.parametrize(("facts", "cause"), [
    ({}, "udp-blocked"),
    ({"healthy": False, "pathOpens": None, "echoOpens": None}, "server-down"),
    ({"healthy": False, "event": "lost"}, "server-down"),
    ({"event": "lost"}, "lost"),
    ({"ownServer": False}, "foreign-server"),
    ({"pathOpens": False}, "path-refused"),
    ({"pathOpens": False, "echoOpens": False}, "origin-refused"),
    ({"hashOffered": False}, "hash-mismatch"),
    ({"hashOffered": None}, "no-hash"),
    ({"hashAllowed": False}, "hash-not-allowed"),
    ({"hashAllowed": False, "hashOffered": None}, "no-hash"),
    ({"expired": True}, "certificate-expired"),
    ({"transport": "websocket"}, "transient"),
])
def test_a_failure_is_explained_by_what_the_probes_found(module, facts, cause):
    diagnosis = module("diagnosis", "return m.diagnose(args.facts);", facts=BASE | facts)
    assert diagnosis["cause"] == cause
    assert diagnosis["title"].endswith(".") and diagnosis["advice"]


def test_a_failure_at_localhost_names_its_two_addresses(module):
    advice = module("diagnosis", "return m.diagnose(args.facts).advice;", facts=BASE | {"hostname": "localhost"})
    assert "127.0.0.1" in " ".join(advice)


@pytest.mark.parametrize(("listed", "hashes"), [
    ([], []), ([("AB", True)], ["ab"]), ([("ab", False), ("cd", True)], ["cd"]), ([("ab", False)], []),
])
def test_only_hashes_that_browsers_take_are_passed_to_them(module, listed, hashes):
    certificates = [{"sha256": sha256, "trustedByHash": trusted} for sha256, trusted in listed]
    found = module("server", "return m.certificateHashes({ certificates: args.certificates });", certificates=certificates)
    assert found == hashes


@pytest.mark.parametrize(("secure", "expected"), [(False, "http://localhost:8099/"), (True, "WebSocket works here")])
def test_a_missing_api_is_explained(module, secure, expected):
    problem = module("environment", """
        return m.availability({ isSecureContext: args.secure, navigator, location }, 8099).problem;
    """, secure=secure)
    assert any(expected in line for line in problem["advice"])
