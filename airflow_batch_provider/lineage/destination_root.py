"""The root of a destination: the part of it that stays the same from run to run.

Airflow keeps every asset that it has seen an event for. An asset for the folder of each day or batch would add one with
each run without end, so the events of a task's exports are for the root, and say in their extra which folder it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import takewhile

_LEAD = re.compile(r"(?:[A-Za-z0-9+.-]+:)?/*")
"""The scheme and the slashes before the bucket, or before the first folder of a local path."""

_FIXED = {"var", "conn", "dag"}
"""What a template may read and still give the same text in each run."""


def root_uri(uri: str, given: object, rendered: object, *, is_mapped: bool, render: Callable[[str], object]) -> str:
    """Return the URI of the root of a destination: its own, or that of a folder above it.

    :param uri: the URI of the destination
    :param given: the destination as the task got it: a template, a path, or the result of another task
    :param rendered: the same after Airflow has rendered it
    :param is_mapped: whether the task is one of several that a task was mapped to
    :param render: renders a template
    """
    depth = len(_names_in(uri))
    if hasattr(given, "iter_references"):  # the result of another task, or an argument of a mapped task group
        return _first(depth - 1, uri)
    template, is_template = str(given), str(given) != str(rendered)
    fixed = _fixed_part(template) if is_template else template
    if fixed is None:
        return _first(depth - 1, uri)
    if fixed == template:
        return _first(depth - is_mapped, uri)
    return _first(len(_names_in(str(render(fixed)))), uri)


def _names_in(uri: str) -> list[str]:
    """Return bucket and folders of a URI or a path."""
    return [name for name in (uri.partition("://")[2] or uri).split("/") if name]


def _first(depth: int, uri: str) -> str:
    """Return the URI of a folder above, or of the bucket, or the first folder of a local path: one name at least."""
    scheme, _, rest = uri.partition("://")
    slash = "/" if rest.startswith("/") else ""
    return f"{scheme}://{slash}" + "/".join(_names_in(uri)[: max(depth, 1)])


def _fixed_part(template: str) -> str | None:
    """Return the template of the part that stays; all of it if no folder varies, None if nothing is known to stay.

    What comes first, up to the first slash, is taken to stay: ``{{ params.exports }}/jobs``.
    """
    text = template.strip().rstrip("/")
    lead = _LEAD.match(text)[0]  # type: ignore[index]
    first, *others = _folders(text[len(lead) :])
    if _has_block(first) or (_varies(first) and not others):
        return None
    kept = [first, *takewhile(lambda folder: not _varies(folder), others)]
    return template if len(kept) == len(others) + 1 else lead + "/".join(map("".join, kept))


def _folders(template: str) -> Iterator[list[str]]:
    """Yield the pieces of each folder: literal text, and templates, in which a slash separates nothing."""
    from jinja2 import Environment

    folder: list[str] = []
    inside = ""
    for _, kind, text in Environment().lex(template):  # noqa: S701 - it renders nothing
        if kind == "data" and not inside:
            piece, *rest = text.split("/")
            folder.append(piece)
            for piece in rest:
                yield folder
                folder = [piece]
            continue
        inside += text
        if kind.endswith("_end"):
            folder.append(inside)
            inside = ""
    yield folder


def _has_block(folder: list[str]) -> bool:
    return any(piece.startswith("{%") for piece in folder)


def _varies(folder: list[str]) -> bool:
    return _has_block(folder) or any(piece.startswith("{{") and not _read_by(piece) <= _FIXED for piece in folder)


def _read_by(expression: str) -> set[str]:
    """Return the names that an expression reads."""
    from jinja2 import Environment, nodes

    return {name.name for name in Environment().parse(expression).find_all(nodes.Name)}  # noqa: S701
