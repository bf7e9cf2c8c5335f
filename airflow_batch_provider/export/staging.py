"""Where an export is until it is published: ``_staging/<export id>/<token>-...``.

The export id is the same for each try of a piece of work. The token is the try's own: it is in the names of all that a
try stages and of all that it publishes, so nothing that one try writes is ever written, or named, by another.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from itertools import count

from airflow_batch_provider.export.manifest import FILES, digits_of
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

STAGING = "_staging"
SECONDS_UNTIL_ORPHANED = 24 * 3600
"""Age after which a file that belongs to no export is orphaned: no try takes that long between two writes."""

CHECKPOINT = ".checkpoint.json"
"""How the names of checkpoints end."""

STAGED_NAME = re.compile(
    rf"{STAGING}/(?P<export_id>[0-9a-f]{{32}})/(?P<token>[0-9a-f]{{12,16}})-(?P<rest>[0-9A-Za-z.]{{1,80}})"
)

_TOKEN_BYTES = 6
_PUBLISHED = "published"
_MARK = re.compile(r"begun(?:\.(?P<number>[0-9]{1,9}))?")
"""The first file of a try, with Airflow's number of it."""


def tokens_of(names: Iterable[str], export_id: str | None = None) -> set[str]:
    """Return the tokens of the tries that have staged something.

    :param names: the files of a destination
    :param export_id: only tries of this piece of work
    """
    matches = filter(None, map(STAGED_NAME.fullmatch, names))
    return {match["token"] for match in matches if export_id in (None, match["export_id"])}


def orphaned(names: Mapping[str, float]) -> set[str]:
    """Return the staged files and parts of exports that no try has continued for a day.

    :param names: the files of a destination, with their age in seconds
    """
    folders = {match["token"]: match["export_id"] for match in map(STAGED_NAME.fullmatch, names) if match}
    youngest: dict[str, float] = {}
    owners: dict[str, str] = {}
    for name, age in names.items():
        token = token_of(name)
        if token:
            owners[name] = owner = folders.get(token, token)
            youngest[owner] = min(age, youngest.get(owner, age))
    return {name for name, owner in owners.items() if youngest[owner] > SECONDS_UNTIL_ORPHANED}


def token_of(name: str) -> str | None:
    """Return the token in the name of a staged file or a part, or None if it is neither."""
    staged = STAGED_NAME.fullmatch(name)
    return staged["token"] if staged else digits_of(name)


class Staging:
    """What one try has staged.

    :param store: the destination
    :param export_id: the export id
    :param try_number: Airflow's number of the try, if there is one
    """

    def __init__(self, store: Store, export_id: str, try_number: int | None = None) -> None:
        self._store = store
        self.export_id = export_id
        self.folder = f"{STAGING}/{export_id}"
        self.token = secrets.token_hex(_TOKEN_BYTES)
        self.earlier: Collection[str] = ()
        self._own = {self.token}
        self._numbers = count()
        self._number = try_number
        self._published: set[str] = set()

    def name(self, rest: str) -> str:
        """Return a name of this try's own, below the destination."""
        return f"{self.folder}/{self.token}-{rest}"

    def new_name(self, rest: str) -> str:
        """Return a name that this try has not used before, even if it has begun again; from any thread."""
        return self.name(f"{next(self._numbers):08d}.{rest}")

    def begin(self) -> None:
        """Note the tries before this one, and write a first file.

        So a destination that cannot be written to fails before anything is read.
        """
        self.note_earlier()
        self._leave_mark()

    def note_earlier(self) -> None:
        """Note which tries have staged something by now; a zombie may begin when its successor has begun already."""
        names = self.names()
        self.earlier = tokens_of(names, self.export_id) - set(filter(None, map(self._later, names)))

    def _later(self, name: str) -> str | None:
        """Return the token in the mark of a later try."""
        staged = STAGED_NAME.fullmatch(name)
        mark = _MARK.fullmatch(staged["rest"]) if staged else None
        number = int(mark["number"] or 0) if mark else 0
        return staged["token"] if staged and self._number is not None and number > self._number else None

    def _leave_mark(self) -> None:
        self._store.put(self.name("begun" if self._number is None else f"begun.{self._number}"), b"")

    def renew(self) -> None:
        """Take another token for what is to be published, and leave a mark of it first."""
        self.token = secrets.token_hex(_TOKEN_BYTES)
        self._own.add(self.token)
        self._leave_mark()

    def mark_published(self, digits: str, before: str | None) -> None:
        """Note that a manifest which names the files of these digits is about to be published.

        From then on a writer may have replaced it and remove them, so no later try publishes files under these digits,
        unless the manifest has certainly not been put.

        :param digits: the digits
        :param before: the version of the manifest that it replaces
        """
        name = self._mark_of(digits)
        self._store.put(name, (before or "").encode())
        self._published.add(name)

    def marks_of_published(self, names: Iterable[str] = ()) -> set[str]:
        """Return what :meth:`mark_published` has written, in this try and, of these names, in any.

        They are removed last: with one, a later try takes what is published for the work of a try that was killed.
        """
        return self._published.union(name for name in names if name.endswith(f"-{_PUBLISHED}"))

    def may_be_published(self, digits: str, current: str | None) -> bool:
        """Return whether a manifest that names the files of these digits may have been published.

        :param digits: the digits
        :param current: the version of the manifest that is there now
        """
        before = self._store.read(self._mark_of(digits))
        return before is not None and before != (current or "").encode()

    def is_published_by_another(self, digits: str, current: str | None) -> bool:
        """Return whether another try of this piece of work that lives may have published files of the same digits."""
        return self._mark_of(digits) not in self._published and self.may_be_published(digits, current)

    def _mark_of(self, digits: str) -> str:
        return f"{self.folder}/{digits}-{_PUBLISHED}"

    def names(self) -> Mapping[str, float]:
        """Return what any try of this export has staged, with its age in seconds."""
        return self._store.names_below(self.folder)

    def left(self, names: Iterable[str], beside: Iterable[str] = (), *, with_earlier: bool = True) -> list[str]:
        """Return what this try and the ones before it have staged and need no more.

        :param names: the files of the destination
        :param beside: parts that stay although no manifest names them: the mark of their try stays with them
        :param with_earlier: whether to return also what tries before this one have staged
        """
        kept = {digits_of(name) for name in beside}
        due = self._own.union(self.earlier if with_earlier else ())
        matches = [
            match for match in map(STAGED_NAME.fullmatch, names) if match and match["export_id"] == self.export_id
        ]
        return [
            match[0]
            for match in matches
            if match["token"] in due and not (match["token"] in kept and _MARK.fullmatch(match["rest"]))
        ]

    def discard(self) -> None:
        """Remove what this try staged, but its mark only if it has put no parts beside: a later try must know them."""
        names = self._store.names_below()
        self.remove(self.left(names, filter(digits_of, names), with_earlier=False))

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints of all tries of this export, so that the next one starts from the beginning."""
        self.remove([name for name in self.names() if STAGED_NAME.fullmatch(name) and name.endswith(CHECKPOINT)])

    def remove(self, *names: Iterable[str]) -> None:
        """Remove files, one group after the other, and the folders that they leave empty."""
        for group in names:
            for_each(self._store, self._store.remove, list(group))
        for folder in (STAGING, FILES):
            self._store.remove_empty_folders(folder)
