"""Where an export lies until it is published: ``_staging/<export id>/<token>-...``.

The export id is that of the piece of work, the same for each try of it; the token is the try's own, so that two tries
that are alive at once never write over each other.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from airflow_batch_provider.export.manifest import TaskRun
from airflow_batch_provider.export.store import Store

STAGING = "_staging"
_INTENT = "publishing.json"


def export_id(task_run: TaskRun, work: Mapping[str, Any]) -> str:
    """Return the name of a piece of work: equal for a retry or a cleared task, different for another day or listing.

    :param task_run: who does it
    :param work: what is done, as JSON: listing, parameters, format
    """
    if task_run.run_id is None:
        return secrets.token_hex(16)
    who = asdict(task_run)
    if who["logical_date"] is not None:
        del who["run_id"]
    return hashlib.blake2b(json.dumps([who, work], sort_keys=True).encode(), digest_size=16).hexdigest()


class Staging:
    """What one try has staged.

    :param store: the destination
    :param work_id: the export id
    """

    def __init__(self, store: Store, work_id: str) -> None:
        self._store = store
        self.work_id = work_id
        self._folder = f"{STAGING}/{work_id}"
        self._token = secrets.token_hex(8)

    def name(self, rest: str) -> str:
        """Return a name of this try's own, below the destination."""
        return f"{self._folder}/{self._token}-{rest}"

    def declare(self, names: list[str]) -> None:
        """Write down which names are about to be published, so that a later try knows them if this one is killed."""
        self._store.put(self.name(_INTENT), json.dumps(names).encode())

    def declared(self) -> set[str]:
        """Return all names that any try of this piece of work was about to publish."""
        declared: set[str] = set()
        for name in self._store.names_below(self._folder):
            content = self._store.read(name) if name.endswith(_INTENT) else None
            if content:
                declared.update(json.loads(content))
        return declared

    def discard(self) -> None:
        """Remove what this try staged, but not what it declared: a later try must know what lies beside already."""
        for name in self._store.names_below(self._folder):
            if name.startswith(self.name("")) and not name.endswith(_INTENT):
                self._store.remove(name)
        self._store.remove_empty_folders(STAGING)

    def remove_all(self) -> None:
        """Remove what any try of this piece of work staged."""
        for name in self._store.names_below(self._folder):
            self._store.remove(name)
