"""The checklist of rules that a WebTransport server and its neighbours must keep, and the tests that prove each.

A test says in brackets which items it proves: in its docstring here, in its name in Swift (`RFC 9114 § 7.2.8 [43]`).
`python checklist.py` writes CHECKLIST.md from that; `test_checklist.py` fails when it is out of date, or when an item has
neither a test nor a line in NOT-APPLICABLE.md that is about the whole of it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
INDEX = FOLDER / "CHECKLIST.md"

SECTIONS: dict[str, dict[int, str]] = {
    "Session establishment": {
        1: "SETTINGS come first and hold what every browser looks for",
        2: "Settings that are on have the value 1",
        3: "max_datagram_frame_size is announced, reset_stream_at is not",
        4: "Both values of `:protocol` begin a session, others get 501",
        5: "A CONNECT without its pseudo-header fields is malformed",
        6: "404 for unknown paths, 403 for foreign origins, 429 beyond the limit",
        7: "A CONNECT waits for the client's SETTINGS",
        8: "Capsules before the response are kept",
        9: "Any 2xx begins a session",
        10: "The application protocol is one that the client offered",
        11: "Header fields reach the application, in both directions",
        12: "A second session on a connection that has room for one is rejected alone",
    },
    "Streams": {
        13: "Stream headers may be cut anywhere",
        14: "Streams may be opened at once, many of them",
        15: "A session ID that is none closes the connection",
        16: "WT_STREAM inside of a stream is an error",
        17: "Streams before their session are kept, within bounds",
        18: "Streams without a byte begin and end",
        19: "Half-close, and large echoes",
        20: "Codes of resets and stops that go out",
        21: "Codes of resets and stops that come in",
        22: "STOP_SENDING is answered with RESET_STREAM",
        23: "The limit of streams is renewed",
        24: "10,000 streams cost no memory",
    },
    "Datagrams": {
        25: "The quarter stream ID, and what is wrong with one",
        26: "Sizes from nothing to the path's most",
        27: "Queues are bounded, and drop the oldest",
        28: "Datagrams after a close, and after a drain",
    },
    "Close and drain": {
        29: "A close that goes out, with code and reason",
        30: "A close that comes in",
        31: "An end without a close, and an abrupt one",
        32: "What is wrong with a close",
        33: "WT_DRAIN_SESSION asks, and changes nothing",
        34: "A graceful shutdown, in order",
        35: "A connection without a session is closed",
    },
    "Errors and abuse": {
        36: "Unknown capsules are skipped, and never kept",
        37: "Capsules of another transport's flow control end the session",
        38: "Floods are bounded and end the connection",
    },
    "Flow control of sessions": {
        39: "Off unless both ends have limits",
        40: "What counts, and violations",
        41: "Credit comes unasked, and limits only rise",
    },
    "HTTP/3": {
        42: "The 16 rules of h3spec for HTTP/3 and QPACK",
        43: "Reserved frames, streams and settings are ignored",
        44: "GET and HEAD beside sessions, a thousand at once, and the limit of header sections",
        45: "QPACK with and without its dynamic table",
        46: "Priorities are accepted",
        47: "Alt-Svc",
    },
    "QUIC": {
        48: "The 34 rules of h3spec for QUIC",
        49: "Version Negotiation",
        50: "Retry",
        51: "NEW_TOKEN",
        52: "No more than three times what an unproven address has sent",
        53: "Stateless resets",
        54: "New addresses in the middle of a session",
        55: "Key update",
        56: "ECN",
        57: "The path's MTU, and black holes",
        58: "The idle timeout",
        59: "Loss, corruption, delay and outages",
        60: "QUIC version 2",
        61: "With and without segmentation offload",
    },
    "TLS": {
        62: "Which certificates browsers take by their hash",
        63: "Resumption and early data",
        64: "The key log decrypts",
        65: "Exported keying material",
        66: "ALPN",
        67: "A client with ChaCha20 alone",
    },
    "WebSocket": {
        68: "RFC 6455 and RFC 7692, by Autobahn|Testsuite",
        69: "Over HTTP/2",
        70: "Over HTTP/3",
        71: "The same endpoints as WebTransport",
        72: "Pings, closes, fragments, compression",
    },
}
ITEMS = {number: title for items in SECTIONS.values() for number, title in items.items()}


BRACKETS = r"\[(\d+(?:, \d+)*)\]"


def items_in(text: str) -> set[int]:
    """The numbers in brackets: `[7]`, `[7, 12]`."""
    return {int(number) for group in re.findall(BRACKETS, text) for number in group.split(", ")}


def tests() -> dict[int, list[str]]:
    """Which tests say that they prove an item. What a module's docstring says holds for all of its tests."""
    found: dict[int, list[str]] = {number: [] for number in ITEMS}
    for path in sorted(FOLDER.glob("test_*.py")):
        module = ast.parse(path.read_text())
        functions = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        for number in items_in(ast.get_docstring(module) or ""):
            found[number].append(f"`{path.name}`")
        for function in functions:
            for number in items_in(ast.get_docstring(function) or ""):
                found[number].append(f"`{path.name}::{function.name}`")
    for path in sorted(FOLDER.parent.glob("*Tests/*.swift")):
        for name in re.findall(r'@(?:Suite|Test)\(\s*"((?:[^"\\]|\\.)*)"', path.read_text()):
            for number in items_in(name):
                found[number].append(f"`{path.name}`: {re.sub(BRACKETS, '', name).strip().replace('|', ' ')}")
    return found


def lines() -> str:
    """The table of NOT-APPLICABLE.md that is about the checklist."""
    return (FOLDER / "NOT-APPLICABLE.md").read_text().split("## The checklist", 1)[1]


def not_applicable() -> tuple[set[int], set[int]]:
    """The items with a line there that is about the whole of them, and with one about a part, which it names in
    parentheses behind the number."""
    whole, part = set(), set()
    for cell in re.findall(r"^\| (\d[^|]*) \|", lines(), re.MULTILINE):
        for number, what in re.findall(r"(\d+)( \([^)]*\))?", cell):
            (part if what else whole).add(int(number))
    return whole, part


def named_there() -> set[str]:
    """The files of tests that it names, and the Swift suites."""
    return set(re.findall(r"`(test_\w+\.py|\w+Tests)`", lines()))


def index() -> str:
    proven, (whole, part) = tests(), not_applicable()
    text = [
        "# The checklist, and what proves it",
        "",
        "Written by `checklist.py` from what the tests say of themselves, in Python and in Swift.",
        "[NOT-APPLICABLE.md](NOT-APPLICABLE.md) says what does not apply of an item, and who would need it.",
    ]
    for section, items in SECTIONS.items():
        text += ["", f"## {section}", "", "| Item | Rule | Tests |", "|---|---|---|"]
        for number, title in items.items():
            names = list(proven[number])
            if number in whole | part:
                names.append("[NOT-APPLICABLE.md](NOT-APPLICABLE.md)")
            text.append(f"| {number} | {title.replace('|', ' ')} | {'<br>'.join(names)} |")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    INDEX.write_text(index())
