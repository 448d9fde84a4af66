"""Every item of the checklist has a test that names it, or a line that says why not."""

from __future__ import annotations

import checklist


def test_every_item_is_proven_or_explained() -> None:
    proven, elsewhere = checklist.tests(), checklist.lines_elsewhere()
    assert [number for number in checklist.ITEMS if not proven[number] and number not in elsewhere] == []


def test_lines_are_of_items_that_exist() -> None:
    assert checklist.lines_elsewhere() <= set(checklist.ITEMS)


def test_the_index_is_what_the_tests_say() -> None:
    """`python Tests/Interop/checklist.py` writes it."""
    assert checklist.INDEX.read_text() == checklist.index()
