"""LlamaCloud's directories and their files, seeded and written: everything that reads.

Read from its "List Directories", "Get Directory" and "List Directory Files" pages and its OpenAPI description.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.content import Content
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud import LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_submitted import Directory, File, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_tokens import SUBMITTED, Row, cut, position_of, timestamp, token_of
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import World

GONE = 3  # the directory that expired: its batches know ids only
ADDED_LATER = 2  # files that no batch has seen
EVERY, DELETED = 20, 6
DAY = 86_400_000
TYPES = ("user", "index", "ephemeral")
NAMES = (
    *("invoices/2026/{}.pdf", '"Angebot" {}.pdf', "zwei\nZeilen {}.pdf", "\U0001f642 {}.pdf", "東京.pdf"),
    *("../../etc/passwd", "C:\\temp\\{}.xlsx", " {} .pdf ", "report {}.pdf", "report, final; {}.pdf"),
)


def display_name(file: int) -> str:
    """Return a file's name: the customer's text, which need not be unique."""
    return NAMES[file % len(NAMES)].format(file)


class LlamaCloudDirectories:
    """The directories: four seeded ones, of which one is gone, and those that were created.

    :param api: the endpoints of the batches.
    :param world: the seeded data.
    :param storage: where files are.
    :param submitted: what was written.
    """

    def __init__(self, api: LlamaCloud, world: World, storage: Storage, submitted: LlamaCloudSubmitted) -> None:
        self._api, self._world, self._storage, self._submitted = api, world, storage, submitted
        storage.add("directories", lambda path, request: source_of(path))

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        directories = "/api/v1/beta/directories"
        return {
            directories: self.list_directories,
            f"{directories}/{{id}}": self.get_directory,
            f"{directories}/{{id}}/files": self.list_files,
            f"{directories}/{{id}}/files/{{file_id}}": self.get_file,
        }

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    async def list_directories(self, request: Request) -> Response:
        """List directories, newest first, without those that were deleted unless asked for."""
        query = self._api.admit(request)
        size, deleted = query.integer("page_size", 50, 1, 100), query.flag("include_deleted")
        types = query.choices("types", TYPES) | ({one} if (one := query.choice("type", TYPES)) else set())
        name, seeded = query.text("name"), self._seeded_directories()
        start = self._api.start(query, len(seeded), self._submitted.directories.count)
        rows = [
            *(
                (SUBMITTED + number, directory)
                for number, directory in self._submitted.directories.newest_first()
                if number <= start.newest and self._submitted.is_listed(directory.created)
            ),
            *list(enumerate(seeded))[start.seeded :],
        ]
        wanted: list[tuple[int, Row]] = [
            (position, partial(self.directory_row, directory))
            for position, directory in rows
            if name in (None, directory.name)
            and (not types or directory.type in types)
            and (deleted or directory.deleted is None)
        ]
        return self._api.page(*cut(size, wanted))

    async def get_directory(self, request: Request) -> Response:
        """Return one directory that is not deleted."""
        self._api.check(self._api.admit(request))
        return JSONResponse(self.directory_row(self.directory(request)))

    async def list_files(self, request: Request) -> Response:
        """List the files of a directory, without those that were deleted unless asked for."""
        query = self._api.admit(request)
        size = query.integer("page_size", 50, 1, 100)
        deleted, expand = query.flag("include_deleted"), query.choices("expand", ("download_url",))
        after = query.milliseconds("updated_at_on_or_after", -math.inf)
        before = query.milliseconds("updated_at_on_or_before", math.inf)
        equal = {name: text for name in ("unique_id", "file_id", "display_name") if (text := query.text(name))}
        part = query.text("display_name_contains") or ""
        files = list(self._files(str(request.path_params["id"])))
        position = position_of(query.text("page_token") or token_of(0), len(files))
        if position is None:
            query.refuse("page_token", "value_error", "Invalid page token", None)
        self._api.check(query)
        self.directory(request)
        rows: list[tuple[int, Row]] = [
            (number, partial(self._expanded, file, expand, request))
            for number, file in enumerate(files[position or 0 :], position or 0)
            if (deleted or file.deleted is None)
            and all(getattr(file, name) == text for name, text in equal.items())
            and part in file.display_name
            and after <= file.updated <= before
        ]
        return self._api.page(*cut(size, rows))

    async def get_file(self, request: Request) -> Response:
        """Return one file of a directory, deleted or not."""
        query = self._api.admit(request)
        expand = query.choices("expand", ("download_url",))
        self._api.check(query)
        return JSONResponse(self._expanded(self.file(request), expand, request))

    def directory(self, request: Request) -> Directory:
        """Return the directory in the path, or answer 404."""
        if found := self.find(str(request.path_params["id"])):
            return found
        raise Refused(JSONResponse({"detail": "Directory not found"}, 404))

    def find(self, directory_id: str) -> Directory | None:
        """Return a directory that is not deleted, or None."""
        found = self._submitted.find("directory", "dir-", directory_id, self._submitted.directories)
        if found is None:
            found = next((seeded for seeded in self._seeded_directories() if seeded.id == directory_id), None)
        return found if found and found.deleted is None else None

    def file(self, request: Request) -> File:
        """Return the file in the path, or answer 404."""
        directory, file_id = self.directory(request), str(request.path_params["file_id"])
        for file in self._files(directory.id):
            if file.id == file_id:
                return file
        raise Refused(JSONResponse({"detail": "Directory file not found"}, 404))

    def live_files(self, directory: Directory) -> tuple[File, ...]:
        """Return the files of a directory that are not deleted."""
        return tuple(file for file in self._files(directory.id) if file.deleted is None)

    def all_files(self) -> dict[str, File]:
        """Return the files of all directories by id."""
        files = (file for directory_id in self.live_names().values() for file in self._files(directory_id))
        return {file.id: file for file in files if file.deleted is None}

    def live_names(self) -> dict[str, str]:
        """Return the ids of the directories that are not deleted by name."""
        directories = [*self._seeded_directories(), *self._submitted.directories.oldest_first()]
        return {directory.name: directory.id for directory in directories if directory.deleted is None}

    def directory_row(self, directory: Directory) -> dict[str, Any]:
        """Return a directory as answers have it."""
        return {
            "id": directory.id,
            "name": directory.name,
            "project_id": self._api.project_id,
            "type": directory.type,
            "description": directory.description,
            "created_at": timestamp(directory.created),
            "updated_at": timestamp(directory.updated),
            "deleted_at": timestamp(directory.deleted),
            "expires_at": timestamp(directory.created + 2 * DAY) if directory.type == "ephemeral" else None,
            "system_metadata": None,
        }

    def file_row(self, file: File) -> dict[str, Any]:
        """Return a file as answers have it."""
        return {
            "id": file.id,
            "directory_id": file.directory_id,
            "display_name": file.display_name,
            "project_id": self._api.project_id,
            "unique_id": file.unique_id,
            "file_id": file.file_id,
            "metadata": file.metadata,
            "created_at": timestamp(file.created),
            "updated_at": timestamp(file.updated),
            "deleted_at": timestamp(file.deleted),
            "download_url": None,
        }

    def _seeded_directories(self) -> list[Directory]:
        created = self._world.started - 30 * DAY
        return [
            Directory(None, directory_id, f"Inbox {number}", "user", None, created, created)
            for number, directory_id in enumerate(self._api.directories)
            if number != GONE
        ]

    def _files(self, directory_id: str) -> Iterator[File]:
        if directory_id in self._api.directories:
            number = self._api.directories.index(directory_id)
            yield from (self._seeded_file(number, n) for n in range(self._world.settings.files + ADDED_LATER))
        yield from self._submitted.files_of(directory_id)

    def _seeded_file(self, directory: int, file: int) -> File:
        created, file_id = self._world.started - 30 * DAY + file * 1000, self._api.file_id(directory, file)
        metadata = {"pages": file % 3 + 1, "ratio": 0.5, "paid": file % 2 == 0, "tags": ["a", "ü"], "note": None}
        return File(
            file_id,
            self._api.directories[directory],
            display_name(file),
            f"{file:04d}-{file_id[4:12]}",
            f"fil-{file_id[4:]}",
            _sha256_of(file_id),
            source_of(file_id).size,
            None if file % 5 == 4 else metadata,
            created,
            created,
            created + DAY if file % EVERY == DELETED else None,
        )

    def _expanded(self, file: File, expand: set[str], request: Request) -> dict[str, Any]:
        row = self.file_row(file)
        # The bytes of what was uploaded are not kept.
        if not expand or file in self._submitted.files_of(file.directory_id):
            return row
        expires = self._world.now() + self._world.settings.url_seconds
        url = self._storage.sign(request, f"directories/{row['id']}")
        return row | {"download_url": {"url": url, "expires_at": timestamp(int(expires * 1000)), "form_fields": None}}


@lru_cache(maxsize=4096)
def _sha256_of(file_id: str) -> str:
    return hashlib.sha256(source_of(file_id).head).hexdigest()


def source_of(file_id: str) -> Content:
    """Return the file that a customer uploaded."""
    return Content("application/pdf", f"%PDF-1.7\n% {file_id}\n%%EOF\n".encode())
