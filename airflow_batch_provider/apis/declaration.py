"""What is wrong with a declaration of a vendor, found when it is made rather than when it is used."""

from __future__ import annotations

from collections.abc import Iterable


class DeclarationError(ValueError):
    """A vendor, endpoint or kind of batch is declared wrongly; the message says what to fix."""


def check_path(owner: str, path: str) -> None:
    """Check a dotted path into JSON.

    :param owner: what declares it, for the message
    :param path: the path
    :raises DeclarationError: a part of it is empty
    """
    if not all(path.split(".")):
        raise DeclarationError(f"{owner}: {path!r} is not a dotted path such as 'data.jobs'")


def check_known(owner: str, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Check that names are among those that are declared.

    :param owner: what uses them, for the message
    :param what: what they are, for the message
    :param names: the names used
    :param known: the names declared
    :raises DeclarationError: one is unknown
    """
    allowed = sorted(known)
    for name in names:
        if name not in allowed:
            raise DeclarationError(f"{owner}: unknown {what} {name!r}; declared are {', '.join(allowed) or 'none'}")


def check_unique(owner: str, what: str, names: Iterable[str]) -> None:
    """Check that no name is declared twice.

    :raises DeclarationError: one is
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DeclarationError(f"{owner}: {what} {name!r} is declared twice")
        seen.add(name)
