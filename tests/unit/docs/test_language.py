"""The documentation and the docstrings avoid words that make an engineer read a sentence twice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "airflow_batch_provider"

INSTEAD = {
    r"anew": "again",
    r"at once": "immediately, or at the same time",
    r"at one stroke": "atomically",
    r"for ever": "forever, without end",
    r"(go|goes|going|gone|went) on": "continue, resume",
    r"in earnest": "in production",
    r"mend(s|ed|ing)?": "fix",
    r"misfits?": "type mismatch",
    r"nobody's": "orphaned",
    r"read-ahead": "prefetch",
    r"rivals?": "concurrent writer",
    r"tall(y|ies)": "count, stats",
    r"tells|told": "returns, shows, reports",
    r"to the value": "exactly, unchanged",
    r"whom?ever": "anyone who, or a name",
    r"worked off": "done, processed",
}
"""Words that have no right use here, as patterns, and what to write."""

CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def pages() -> list[str]:
    """Return the pages by their path from the root."""
    built = ROOT / "docs" / "_build"
    paths = [path for path in (ROOT / "docs").rglob("*.md") if not path.is_relative_to(built)]
    names = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", *(path.relative_to(ROOT).as_posix() for path in paths)}
    return sorted(names)


def prose(page: str) -> str:
    """Return a page without its code, whose names and messages may be others'."""
    return CODE.sub(lambda code: "\n" * code[0].count("\n"), page)


def docstrings() -> Iterator[tuple[str, str]]:
    """Yield the docstrings of modules, classes, functions and values, by file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value.value


def findings(where: str, text: str) -> list[str]:
    """Return what to write instead of each wrong word."""
    found = ((word, re.search(rf"\b({word})\b", text, re.IGNORECASE)) for word in INSTEAD)
    return [f"{where}: instead of {match[0]!r} write: {INSTEAD[word]}" for word, match in found if match]


@pytest.mark.parametrize("page", pages())
def test_a_page_has_plain_words(page: str) -> None:
    assert findings(page, prose((ROOT / page).read_text())) == []


def test_docstrings_have_plain_words() -> None:
    assert [finding for where, text in docstrings() for finding in findings(where, text)] == []


def test_a_wrong_word_is_found_in_prose_only() -> None:
    assert findings("x", "It goes on, unless\ntold otherwise.") == [
        "x: instead of 'goes on' write: continue, resume",
        "x: instead of 'told' write: returns, shows, reports",
    ]
    assert findings("x", prose("Run `mend`.\n\n```python\nanew = 1\n```\n\nAmended, it is foretold.")) == []
