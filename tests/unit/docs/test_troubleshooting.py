"""Every message that a user can meet is on the page of messages, and every message on it is still in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider import exceptions
from airflow_batch_provider.exceptions import BatchProviderError

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "airflow_batch_provider"
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
OURS = PAGE[: PAGE.index("## Messages of Airflow itself")]
GAP = "…"

CLASSES = [
    name
    for name, value in vars(exceptions).items()
    if isinstance(value, type) and issubclass(value, BatchProviderError)
]
OTHER_CONSTRUCTORS = {"_error", "_incomplete", "error", "BadHeader", "BadRow", "Stopped", "Verdict", "Problem"}
"""What makes exceptions of ours, or the values that they are made of."""


def text_of(node: ast.AST) -> str | None:
    """Return a text with a gap for each value in it; None for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(value) or GAP for value in node.values)
    return None


def trees() -> Iterator[ast.Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "sandbox" not in path.parts:
            yield ast.parse(path.read_text())


def messages_in_code() -> Iterator[str]:
    for tree in trees():
        for node in ast.walk(tree):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name in {*CLASSES, *OTHER_CONSTRUCTORS} or (name == "warning" and isinstance(node, ast.Call)):
                texts = (text_of(argument) for argument in node.args)  # type: ignore[union-attr]
                yield from (text for text in texts if text and " " in text and fixed_words(text))


def fixed_words(message: str) -> list[str]:
    """Return the pieces of a message that are the same each time, with a word in them."""
    gaps = re.compile(rf"{GAP}|%[rsd]|%\.\df|\{{\w+(?:!r)?\}}")
    pieces = (piece.strip() for piece in gaps.split(message))
    return [piece for piece in pieces if re.search(r"\w\w", piece)]


# The gap of the page may stand for what is spelt out in the code, so its pieces are looked for in the whole code.
CODE = "\n".join(text for tree in trees() for node in ast.walk(tree) if (text := text_of(node)))
CODE_WITH_GAPS = re.sub(r"%[rsd]|%\.\df|\{\w+(?:!r)?\}", GAP, CODE)
QUOTED = sorted(
    {
        quoted
        for line in OURS.splitlines()
        if line.startswith("| `")
        for quoted in re.findall(r"`([^`]+)`", line.split(" | ")[0])
    }
    - {f"{GAP} is FAILED{GAP}", f"{GAP} is CANCELLED{GAP}"}  # the vendor's own words
)
STATUSES = re.compile(r"answered HTTP \d\d\d")


@pytest.mark.parametrize("quoted", QUOTED)
def test_every_message_on_the_page_is_in_the_code(quoted: str) -> None:
    pieces = fixed_words(STATUSES.sub(f"answered {GAP} HTTP", quoted))
    assert pieces
    assert [piece for piece in pieces if piece not in CODE_WITH_GAPS] == []


@pytest.mark.parametrize("message", sorted(set(messages_in_code())))
def test_every_message_in_the_code_is_on_the_page(message: str) -> None:
    longest = max(fixed_words(message), key=len)
    assert longest in OURS


@pytest.mark.parametrize("name", CLASSES)
def test_every_exception_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in OURS


def test_the_code_has_messages_to_compare() -> None:
    assert len(list(messages_in_code())) > 50
    assert len(QUOTED) > 50
