"""LlamaCloud's directories: the files that batches were made from.

Read from its "List Directory Files" page and its OpenAPI description.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.content import Content
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.llamacloud import LlamaCloud, position_of, timestamp, token_of
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.world import World

GONE = 3  # the directory that expired: its batches know ids only
ADDED_LATER = 2  # files that no batch has seen
EVERY, DELETED = 20, 6
DAY = 86_400_000
NAMES = (
    *("invoices/2026/{}.pdf", '"Angebot" {}.pdf', "zwei\nZeilen {}.pdf", "\U0001f642 {}.pdf", "東京.pdf"),
    *("../../etc/passwd", "C:\\temp\\{}.xlsx", " {} .pdf ", "report {}.pdf", "report, final; {}.pdf"),
)


def display_name(file: int) -> str:
    """Return a file's name: the customer's text, which need not be unique."""
    return NAMES[file % len(NAMES)].format(file)


class LlamaCloudDirectories:
    """The files of four directories, one of which is gone.

    :param api: the endpoints of the batches.
    :param world: the seeded data.
    :param storage: where files lie.
    """

    def __init__(self, api: LlamaCloud, world: World, storage: Storage) -> None:
        self._api, self._world, self._storage = api, world, storage
        storage.add("directories", lambda path, request: source_of(path))

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        files = "/api/v1/beta/directories/{id}/files"
        return {files: self.list_files, f"{files}/{{file_id}}": self.get_file}

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    async def list_files(self, request: Request) -> Response:
        """List the files of a directory, without those that were deleted unless asked for."""
        query = self._api.admit(request)
        size = query.integer("page_size", 50, 1, 100)
        deleted, expand = query.flag("include_deleted"), query.choices("expand", ("download_url",))
        after = query.milliseconds("updated_at_on_or_after", -math.inf)
        before = query.milliseconds("updated_at_on_or_before", math.inf)
        equal = {name: text for name in ("unique_id", "file_id", "display_name") if (text := query.text(name))}
        part = query.text("display_name_contains") or ""
        count = self._world.settings.files + ADDED_LATER
        position = position_of(query.text("page_token") or token_of(0), count)
        if position is None:
            query.refuse("page_token", "value_error", "Invalid page token", None)
        self._api.check(query)
        directory = self._directory(request)
        rows = [
            (file, row)
            for file in range(position or 0, count)
            if (row := self._file(directory, file))
            and (deleted or row["deleted_at"] is None)
            and all(row[name] == text for name, text in equal.items())
            and part in row["display_name"]
            and after <= self._updated(file) <= before
        ]
        items = [self._expanded(row, expand, request) for _, row in rows[:size]]
        return self._api.page(items, token_of(rows[size][0]) if len(rows) > size else None)

    async def get_file(self, request: Request) -> Response:
        """Return one file of a directory, deleted or not."""
        query = self._api.admit(request)
        expand = query.choices("expand", ("download_url",))
        self._api.check(query)
        directory, file_id = self._directory(request), str(request.path_params["file_id"])
        found = self._world.find_item("llamacloud file", file_id.removeprefix("dfl-"))
        if not found or found[0] != directory or found[1] >= self._world.settings.files + ADDED_LATER:
            raise Refused(JSONResponse({"detail": "Directory file not found"}, 404))
        return JSONResponse(self._expanded(self._file(directory, found[1]), expand, request))

    def _directory(self, request: Request) -> int:
        directory_id = str(request.path_params["id"])
        if directory_id not in self._api.directories or directory_id == self._api.directories[GONE]:
            raise Refused(JSONResponse({"detail": "Directory not found"}, 404))
        return self._api.directories.index(directory_id)

    def _updated(self, file: int) -> int:
        return self._world.started - 30 * DAY + file * 1000

    def _file(self, directory: int, file: int) -> dict[str, Any]:
        created, file_id = self._updated(file), self._api.file_id(directory, file)
        metadata = {"pages": file % 3 + 1, "ratio": 0.5, "paid": file % 2 == 0, "tags": ["a", "ü"], "note": None}
        return {
            "id": file_id,
            "directory_id": self._api.directories[directory],
            "display_name": display_name(file),
            "project_id": self._api.project_id,
            "unique_id": f"{file:04d}-{file_id[4:12]}",
            "file_id": f"fil-{file_id[4:]}",
            "metadata": None if file % 5 == 4 else metadata,
            "created_at": timestamp(created),
            "updated_at": timestamp(created),
            "deleted_at": timestamp(created + DAY) if file % EVERY == DELETED else None,
            "download_url": None,
        }

    def _expanded(self, row: dict[str, Any], expand: set[str], request: Request) -> dict[str, Any]:
        if not expand:
            return row
        expires = self._world.now() + self._world.settings.url_seconds
        url = self._storage.sign(request, f"directories/{row['id']}")
        return row | {"download_url": {"url": url, "expires_at": timestamp(int(expires * 1000)), "form_fields": None}}


def source_of(file_id: str) -> Content:
    """Return the file that a customer uploaded."""
    return Content("application/pdf", f"%PDF-1.7\n% {file_id}\n%%EOF\n".encode())
