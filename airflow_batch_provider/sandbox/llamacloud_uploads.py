"""LlamaCloud's directories and files: everything that writes.

Read from its "Create Directory", "Upload File To Directory", "Add Directory File" and "Upload File" pages and its
OpenAPI description.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.bodies import Body, Upload, form
from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.journal import VendorName
from airflow_batch_provider.sandbox.llamacloud import LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_directories import LlamaCloudDirectories
from airflow_batch_provider.sandbox.llamacloud_submitted import Directory, File, LlamaCloudSubmitted, Stored
from airflow_batch_provider.sandbox.llamacloud_tokens import SUBMITTED, Row, cut

DIRECTORIES = "/api/v1/beta/directories"
FILES = "/api/v1/beta/files"
NOT_OURS = "The sandbox changes only what was written to it"
PURPOSES = ("user_data", "parse", "extract", "classify", "split", "sheet", "agent_app")
SIMPLE = (str, int, float, bool, type(None))


class LlamaCloudUploads:
    """The endpoints of one project.

    :param api: the endpoints of the batches.
    :param submitted: what was written.
    :param directories: the endpoints that read directories.
    :param unique_names: whether a second directory of a name is refused.
    """

    vendor: VendorName = "llamacloud"

    def __init__(
        self, api: LlamaCloud, submitted: LlamaCloudSubmitted, directories: LlamaCloudDirectories, unique_names: bool
    ) -> None:
        self._api, self._submitted, self._directories = api, submitted, directories
        self._unique_names = unique_names

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {
            f"POST {DIRECTORIES}": self.create_directory,
            f"PATCH {DIRECTORIES}/{{id}}": self.update_directory,
            f"DELETE {DIRECTORIES}/{{id}}": self.delete_directory,
            f"POST {DIRECTORIES}/{{id}}/files/upload": self.upload_file,
            f"POST {DIRECTORIES}/{{id}}/files": self.add_file,
            f"PATCH {DIRECTORIES}/{{id}}/files/{{file_id}}": self.update_file,
            f"DELETE {DIRECTORIES}/{{id}}/files/{{file_id}}": self.delete_file,
            f"POST {FILES}": self.create_stored,
            FILES: self.list_stored,
            f"{FILES}/{{id}}": self.get_stored,
        }

    @property
    def creates(self) -> Mapping[str, bool]:
        """None of them creates a batch."""
        return {name: False for name in self.handlers if name.startswith("POST ")}

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    def refusal(self, status: int) -> Response:
        """Return LlamaCloud's form of a status."""
        return self._api.refusal(status)

    async def create_directory(self, request: Request) -> Response:
        """Create a directory."""
        body = await self._json(request)
        name, kind = body.text("name", required=True), body.choice("type", ("user", "ephemeral"))
        description = body.text("description")
        self._api.check(body)
        self._check_name(str(name))
        now = self._submitted.now()
        made = self._submitted.directories.add(
            lambda number: Directory(
                number,
                f"dir-{self._submitted.id('directory', number)}",
                str(name),
                kind or "user",
                description,
                now,
                now,
            )
        )
        self._submitted.recorder.note("llamacloud", "directories", made.name)
        return JSONResponse(self._directories.directory_row(made), 201)

    async def update_directory(self, request: Request) -> Response:
        """Rename or describe a directory."""
        body = await self._json(request)
        directory = self._directories.directory(request)
        changed = {name: text for name in ("name", "description") if (text := body.text(name)) is not None}
        self._api.check(body)
        if changed.get("name", directory.name) != directory.name:
            self._check_name(changed["name"])
        return JSONResponse(self._directories.directory_row(self._replace(directory, **changed)))

    async def delete_directory(self, request: Request) -> Response:
        """Delete a directory; its batches continue."""
        self._api.check(self._api.admit(request))
        self._replace(self._directories.directory(request), deleted=self._submitted.now())
        return Response(status_code=204)

    async def upload_file(self, request: Request) -> Response:
        """Upload a file into a directory. A second one with the same unique id is another file."""
        self._api.check(self._api.admit(request))
        directory = self._directories.directory(request)
        texts, upload = await self._form(request, "upload_file")
        body = Body(texts)
        fields: dict[str, Any] = {name: body.text(name) for name in ("unique_id", "display_name")}
        if texts.get("metadata"):
            try:
                fields["metadata"] = self._metadata(body, json.loads(texts["metadata"]))
            except ValueError:
                body.refuse("metadata", "json_invalid", "Input should be a JSON object", None)
        self._api.check(body)
        stored = self._submitted.add_stored(upload, "user_data", texts.get("external_file_id"))
        return JSONResponse(self._directories.file_row(self._submitted.add_file(directory, stored, fields)), 201)

    async def add_file(self, request: Request) -> Response:
        """Put a file of the files API into a directory."""
        body = await self._json(request)
        directory, file_id = self._directories.directory(request), body.text("file_id", required=True)
        fields: dict[str, Any] = {name: body.text(name) for name in ("unique_id", "display_name")}
        fields["metadata"] = self._metadata(body, body.mapping("metadata"))
        self._api.check(body)
        stored = self._submitted.find("stored", "fil-", str(file_id), self._submitted.stored)
        if stored is None:
            raise Refused(JSONResponse({"detail": "File not found"}, 404))
        return JSONResponse(self._directories.file_row(self._submitted.add_file(directory, stored, fields)), 201)

    async def update_file(self, request: Request) -> Response:
        """Change the names or the metadata of a file, for batches to come; files cannot be moved here."""
        body = await self._json(request)
        file = self._written(self._directories.file(request))
        changed: dict[str, Any] = {
            name: text for name in ("unique_id", "display_name") if (text := body.text(name)) is not None
        }
        if "metadata" in body.fields:
            changed["metadata"] = self._metadata(body, body.mapping("metadata"))
        if body.text("target_directory_id") not in (None, file.directory_id):
            body.refuse("target_directory_id", "value_error", "The sandbox moves no files", None)
        self._api.check(body)
        changed_file = self._submitted.replace_file(file._replace(updated=self._submitted.now(), **changed))
        return JSONResponse(self._directories.file_row(changed_file))

    async def delete_file(self, request: Request) -> Response:
        """Delete a file, for batches to come."""
        self._api.check(self._api.admit(request))
        file, now = self._written(self._directories.file(request)), self._submitted.now()
        self._submitted.replace_file(file._replace(updated=now, deleted=now))
        return Response(status_code=204)

    async def create_stored(self, request: Request) -> Response:
        """Upload a file that directories can refer to."""
        self._api.check(self._api.admit(request))
        texts, upload = await self._form(request, "file")
        body = Body(texts)
        purpose = body.choice("purpose", PURPOSES, required=True)
        self._api.check(body)
        stored = self._submitted.add_stored(upload, str(purpose), texts.get("external_file_id"))
        return JSONResponse(self._stored_row(stored), 201)

    async def list_stored(self, request: Request) -> Response:
        """List the files of the files API, newest first."""
        query = self._api.admit(request)
        size, name = query.integer("page_size", 50, 1, 1000), query.text("file_name")
        external, ids = query.text("external_file_id"), query.texts("file_ids")
        start = self._api.start(query, 0, self._submitted.stored.count)
        rows: list[tuple[int, Row]] = [
            (SUBMITTED + number, lambda stored=stored: self._stored_row(stored))  # type: ignore[misc]
            for number, stored in self._submitted.stored.newest_first()
            if number <= start.newest
            and name in (None, stored.upload.name)
            and external in (None, stored.external_file_id)
            and (not ids or stored.id in ids)
        ]
        return self._api.page(*cut(size, rows))

    async def get_stored(self, request: Request) -> Response:
        """Return one file of the files API."""
        self._api.check(self._api.admit(request))
        file_id = str(request.path_params["id"])
        if stored := self._submitted.find("stored", "fil-", file_id, self._submitted.stored):
            return JSONResponse(self._stored_row(stored))
        raise Refused(JSONResponse({"detail": "File not found"}, 404))

    async def _json(self, request: Request) -> Body:
        self._api.check(self._api.admit(request))
        return await self._api.body(request)

    async def _form(self, request: Request, name: str) -> tuple[dict[str, str], Upload]:
        sent = await form(request)
        texts, uploads = sent or ({}, {})
        if name not in uploads:
            body = Body({})
            body.refuse(name, "missing", "Field required", None)
            self._api.check(body)
        return texts, uploads[name]

    def _metadata(self, body: Body, metadata: Any) -> dict[str, Any] | None:
        """Check that metadata is an object of simple values and lists of texts."""

        def fits(value: Any) -> bool:
            if isinstance(value, list):
                return all(isinstance(part, str) for part in value)
            return isinstance(value, SIMPLE)

        if metadata is None:
            return None
        if not isinstance(metadata, dict) or not all(fits(value) for value in metadata.values()):
            return body.refuse("metadata", "dict_type", "Input should be an object of simple values", None)
        return metadata

    def _check_name(self, name: str) -> None:
        if self._unique_names and name in self._directories.live_names():
            raise Refused(JSONResponse({"detail": f"Directory with name {name!r} already exists"}, 409))

    def _replace(self, directory: Directory, **changed: Any) -> Directory:
        if directory.number is None:
            raise Refused(JSONResponse({"detail": NOT_OURS}, 403))
        now = self._submitted.now()
        return self._submitted.directories.replace(directory.number, replace(directory, updated=now, **changed))

    def _written(self, file: File) -> File:
        if file not in self._submitted.files_of(file.directory_id):
            raise Refused(JSONResponse({"detail": NOT_OURS}, 403))
        return file

    def _stored_row(self, stored: Stored) -> dict[str, Any]:
        name = stored.upload.name
        return {
            "id": stored.id,
            "name": name,
            "project_id": self._api.project_id,
            "external_file_id": stored.external_file_id,
            "file_type": name.rpartition(".")[2] if "." in name else None,
            "purpose": stored.purpose,
            "last_modified_at": None,
            "expires_at": None,
            "download_url": None,
        }
