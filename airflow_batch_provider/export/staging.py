"""Where an export is until it is published: ``_staging/<export id>/<token>-...``.

The export id is the same for each try of a piece of work; the token is the try's own, so that two tries that run at the
same time never write over each other.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from airflow_batch_provider import codec
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.stores.parallel import for_each

STAGING = "_staging"
SECONDS_UNTIL_ORPHANED = 24 * 3600
"""Age after which a file that belongs to no export is orphaned: no try takes that long between two writes."""

CHECKPOINT = ".checkpoint.json"
"""How the names of checkpoints end."""

STAGED_NAME = re.compile(rf"{STAGING}/[0-9a-f]+/[0-9a-f]+-[0-9A-Za-z.]+")

_TOKEN_BYTES = 8
_INTENT = re.compile(rf"{STAGING}/(?P<export_id>[^/]+)/(?P<token>[0-9a-f]+)-publishing\.json")
_INTENT_VERSION = 1


class PublishIntent(msgspec.Struct, frozen=True, kw_only=True):
    """What a try is about to publish, written before it begins.

    :param names: the parts
    :param replaces: the version of the manifest that it will replace: once that has changed, it cannot; ``""`` is none
        that there ever is
    :param export_id: whose it is; part of the file's name
    """

    version: int = _INTENT_VERSION
    names: tuple[str, ...] = ()
    replaces: str | None = None
    export_id: str = ""


def publish_intents(store: Store, export_id: str | None = None) -> dict[str, PublishIntent]:
    """Return what any try, or any of one piece of work, is about to publish, by the try's token."""
    found = {}
    for name in store.names_below(f"{STAGING}/{export_id}" if export_id else STAGING):
        match = _INTENT.fullmatch(name)
        content = store.read(name) if match else None
        if match and content:
            found[match["token"]] = _read_intent(content, match["export_id"])
    return found


def _read_intent(content: bytes, export_id: str) -> PublishIntent:
    try:
        intent = codec.decode(content, PublishIntent, version=_INTENT_VERSION, unversioned=1)
    except codec.UnreadableError:  # of another release, or cut because the store has no atomic puts
        return PublishIntent(replaces="", export_id=export_id)
    return msgspec.structs.replace(intent, export_id=export_id)


def orphaned(names: Mapping[str, float]) -> set[str]:
    """Return the staged files of exports that no try has continued for a day.

    :param names: the files of a destination, with their age in seconds
    """
    youngest: dict[str, float] = {}
    for name, age in names.items():
        folder = _folder_of(name)
        youngest[folder] = min(age, youngest.get(folder, age))
    return {name for name in names if (folder := _folder_of(name)) and youngest[folder] > SECONDS_UNTIL_ORPHANED}


def _folder_of(name: str) -> str:
    """Return the folder of the export for which a file is staged, or nothing."""
    return "/".join(name.split("/")[:2]) if name.startswith(f"{STAGING}/") else ""


class Staging:
    """What one try has staged.

    :param store: the destination
    :param export_id: the export id
    """

    def __init__(self, store: Store, export_id: str) -> None:
        self._store = store
        self.export_id = export_id
        self.folder = f"{STAGING}/{export_id}"
        self.token = secrets.token_hex(_TOKEN_BYTES)

    def name(self, rest: str) -> str:
        """Return a name of this try's own, below the destination."""
        return f"{self.folder}/{self.token}-{rest}"

    def begin(self) -> None:
        """Write a first file, so that a destination that cannot be written to fails before anything is read."""
        self._store.put(self.name("begun"), b"")

    def names(self) -> Mapping[str, float]:
        """Return what any try of this export has staged, with its age in seconds."""
        return self._store.names_below(self.folder)

    def write_intent(self, names: Sequence[str], replaces: str | None) -> None:
        """Write down what is about to be published, so that a later try knows it if this one is killed."""
        intent = PublishIntent(names=tuple(names), replaces=replaces, export_id=self.export_id)
        self._store.put(self.name("publishing.json"), codec.encode(intent))

    def discard(self) -> None:
        """Remove what this try staged, but not its intent: a later try must know what was published already."""
        self._remove(lambda name: name.startswith(self.name("")) and not _INTENT.fullmatch(name))

    def discard_checkpoints(self) -> None:
        """Remove the checkpoints of all tries of this export, so that the next one starts from the beginning."""
        self._remove(lambda name: name.endswith(CHECKPOINT))

    def remove_all(self, but: Collection[str] = ()) -> None:
        """Remove what any try of this export staged.

        :param but: the tokens of tries to spare
        """
        self._remove(lambda name: name.removeprefix(f"{self.folder}/").partition("-")[0] not in but)

    def _remove(self, is_due: Callable[[str], bool]) -> None:
        for_each(self._store, self._store.remove, [name for name in self.names() if is_due(name)])
        self._store.remove_empty_folders(STAGING)
