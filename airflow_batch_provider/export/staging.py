"""Where an export lies until it is published: ``_staging/<export id>/<token>-...``.

The export id is that of the piece of work, the same for each try of it; the token is the try's own, so that two tries
that are alive at once never write over each other.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

STAGING = "_staging"
SECONDS_UNTIL_NOBODYS = 24 * 3600
"""Age after which a file that belongs to no export is nobody's: no try takes that long between two writes."""

CHECKPOINT = ".checkpoint.json"
"""How the names of checkpoints end."""

_TOKEN_BYTES = 8
_DECLARATION = re.compile(rf"{STAGING}/(?P<work_id>[^/]+)/(?P<token>[0-9a-f]+)-publishing\.json")


@dataclass(frozen=True)
class Declaration:
    """What a try is about to publish.

    :param work_id: the export id
    :param names: the parts
    :param replaces: the version of the manifest that it means to replace: where that has changed, it cannot
    """

    work_id: str
    names: frozenset[str]
    replaces: str | None


def declarations(store: Store, work_id: str | None = None) -> dict[str, Declaration]:
    """Return what any try, or any of one piece of work, is about to publish, by the try's token."""
    found = {}
    for name in store.names_below(f"{STAGING}/{work_id}" if work_id else STAGING):
        declaration = _DECLARATION.fullmatch(name)
        content = store.read(name) if declaration else None
        if declaration and content:
            found[declaration["token"]] = _read(content, declaration["work_id"])
    return found


def _read(content: bytes, work_id: str) -> Declaration:
    try:
        said = json.loads(content)
        return Declaration(work_id, frozenset(said["names"]), said["replaces"])
    except (ValueError, LookupError, TypeError):  # of another version, or cut where the store gives no atomic puts
        return Declaration(work_id, frozenset(), "")


def abandoned(names: Mapping[str, float]) -> set[str]:
    """Return the staged files of works that nobody has gone on with for a day.

    :param names: the files of a destination, with their age in seconds
    """
    youngest: dict[str, float] = {}
    for name, age in names.items():
        work = _work_of(name)
        youngest[work] = min(age, youngest.get(work, age))
    return {name for name in names if (work := _work_of(name)) and youngest[work] > SECONDS_UNTIL_NOBODYS}


def _work_of(name: str) -> str:
    """Return the folder of the work that a file is staged for, or nothing."""
    return "/".join(name.split("/")[:2]) if name.startswith(f"{STAGING}/") else ""


class Staging:
    """What one try has staged.

    :param store: the destination
    :param work_id: the export id
    """

    def __init__(self, store: Store, work_id: str) -> None:
        self._store = store
        self.work_id = work_id
        self.folder = f"{STAGING}/{work_id}"
        self.token = secrets.token_hex(_TOKEN_BYTES)

    def name(self, rest: str) -> str:
        """Return a name of this try's own, below the destination."""
        return f"{self.folder}/{self.token}-{rest}"

    def begin(self) -> None:
        """Write a first file, so that a destination that cannot be written to fails before anything is read."""
        self._store.put(self.name("begun"), b"")

    def names(self) -> Mapping[str, float]:
        """Return what any try of this work has staged, with its age in seconds."""
        return self._store.names_below(self.folder)

    def declare(self, names: Sequence[str], replaces: str | None) -> None:
        """Write down what is about to be published, so that a later try knows it if this one is killed."""
        content = json.dumps({"names": names, "replaces": replaces}).encode()
        self._store.put(self.name("publishing.json"), content)

    def discard(self) -> None:
        """Remove what this try staged, but not what it declared: a later try must know what lies beside already."""
        self._remove(lambda name: name.startswith(self.name("")) and not _DECLARATION.fullmatch(name))

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints of all tries of this work, so that the next one starts anew."""
        self._remove(lambda name: name.endswith(CHECKPOINT))

    def remove_all(self, but: Collection[str] = ()) -> None:
        """Remove what any try of this work staged.

        :param but: the tokens of tries to spare
        """
        self._remove(lambda name: name.removeprefix(f"{self.folder}/").partition("-")[0] not in but)

    def _remove(self, is_due: Callable[[str], bool]) -> None:
        for_each(self._store, self._store.remove, [name for name in self.names() if is_due(name)])
        self._store.remove_empty_folders(STAGING)
