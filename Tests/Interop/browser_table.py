"""Writes the table of behaviours by browser, when `--browsers-table FILE` asks for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from behaviours import BROWSERS, CONTROL, EXPERIMENTAL

COLUMNS = {BROWSERS[0]: "Chromium", EXPERIMENTAL: "Chromium, experimental", BROWSERS[1]: "Firefox"}
SUBJECTS = {
    "sessions": "Beginning", "certificates": "Certificates named by hash", "endings": "End",
    "globals": "Place of the session", "streams": "Streams", "signals": "Streams that are given up",
    "datagrams": "Datagrams", "facts": "Facts of the connection",
}
HEAD = """\
# What pages may expect, by browser

Each row is a behaviour of WebTransport's API that depends on the server, expressed anew after the subjects of
web-platform-tests' `webtransport/`, and run as `test_browser_*.py` in headless browsers against `apus serve`. This file
is written by the test run:
`.build/venv/bin/python -m pytest Tests/Interop -k test_browser --browsers-table Tests/Interop/BROWSERS.md`.

**ok** passes, ×N in so many variants. **–** means that the browser has no such feature yet (*Chromium, experimental* is
Chromium with `--enable-experimental-web-platform-features`, and is asked only for what the plain one may lack). A
**fault** is the browser's and listed below: it fails in the same way against a control server on aioquic, where
browsers without it, if there are any, pass.
"""


class Table:
    """What became of each behaviour in each browser, over all its variants."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[tuple[str, str], dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
        self._control: dict[str, Counter] = defaultdict(Counter)
        self._reasons: list[str] = []
        self._chances: set[str] = set()
        self.versions: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = dict(report.user_properties)
        if "browser" not in facts or not (report.when == "call" or report.failed or report.skipped):
            return
        self.versions.setdefault(facts["browser"], facts["version"])
        self._chances.add(facts["chance"])
        outcome, reason = "ok" if report.passed else "failed", None
        if hasattr(report, "wasxfail"):
            outcome = reason = report.wasxfail.removeprefix("reason: ").removeprefix("the browser's: ")
        elif report.skipped:
            outcome = "none"
        elif report.passed and facts["chance"] is not None:
            # The table shall not change with the chance.
            outcome = facts["chance"]
        if outcome not in ("ok", "failed", "none", *self._reasons):
            self._reasons.append(outcome)
        if facts["peer"] == CONTROL:
            if reason is not None:
                self._control[reason][facts["browser"]] += 1
            return
        subject = Path(report.fspath).stem.removeprefix("test_browser_")
        self._outcomes[subject, facts["behaviour"]][facts["browser"]][outcome] += 1

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(self._text())

    def _text(self) -> str:
        lines = [HEAD, *(f"- {COLUMNS[name]}: {self.versions[name]}" for name in COLUMNS if name in self.versions)]
        for subject, title in SUBJECTS.items():
            rows = {name: cells for (file, name), cells in self._outcomes.items() if file == subject}
            if rows:
                lines += ["", f"## {title}", "", self._row("Behaviour", COLUMNS.values()), "|---" * 4 + "|"]
                lines += [self._row(name, [self._cell(cells[b]) for b in COLUMNS]) for name, cells in rows.items()]
        lines += ["", "## Faults of the browsers", ""]
        for number, reason in enumerate(self._reasons, 1):
            alike = ", ".join(COLUMNS[browser] for browser in COLUMNS if self._control[reason][browser])
            proof = f"with the control: {alike}" if alike else "**not with the control**"
            if reason in self._chances:
                proof = "a matter of chance: the test says how often, with the control as well"
            lines.append(f"{number}. {reason[0].upper()}{reason[1:]} ({proof}).")
        return "\n".join(lines) + "\n"

    @staticmethod
    def _row(name: str, cells: Iterable[str]) -> str:
        return f"| {' | '.join([name, *cells])} |"

    def _cell(self, outcomes: Counter) -> str:
        names = {"ok": "ok", "none": "–", "failed": "**failed**"} | {
            reason: f"fault {number}" for number, reason in enumerate(self._reasons, 1)}
        counts = {outcome: f" ×{count}" for outcome, count in outcomes.items() if count > 1 and outcome != "none"}
        return ", ".join(names[outcome] + counts.get(outcome, "") for outcome in outcomes)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--browsers-table", type=Path, metavar="FILE", help="write what each browser did to this file")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--browsers-table"):
        config.pluginmanager.register(Table(path.absolute()), "browsers-table-writer")
