"""LlamaCloud's directories and their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dev.chaos.counting.account import Account, Answer, Asked, Knobs, iso, json_of, route
from dev.chaos.counting.multipart import parts_of

HOURS_OF_EPHEMERAL = 48
PROJECT = "prj-of-the-key"
DIRECTORIES = "/api/v1/beta/directories"
SCOPE = ("project_id", "organization_id")
PAGING = (*SCOPE, "page_size", "page_token")


class EqualNames(StrEnum):
    """What comes of a second directory with the name of another one, which may be deleted."""

    ALLOWED = "allowed"
    REFUSED_409 = "409"
    REFUSED_400 = "400"
    REFUSED_422 = "422"


class EqualIds(StrEnum):
    """What comes of a second file with the ``unique_id`` of another one in the directory."""

    SECOND_ENTRY = "second"
    REPLACED = "replaced"
    REFUSED = "409"


@dataclass(kw_only=True)
class LlamaCloudKnobs(Knobs):
    """How an account at LlamaCloud behaves.

    :param equal_names: of directories
    :param equal_ids: of files
    :param name_is_substring: whether the filter by name finds directories whose names contain it
    :param expires_is_required: whether an ephemeral directory must say when it expires
    :param end: how a last page says so: absent, null or empty
    :param total: whether listings report how many rows there are
    """

    equal_names: EqualNames = EqualNames.REFUSED_409
    equal_ids: EqualIds = EqualIds.SECOND_ENTRY
    name_is_substring: bool = False
    expires_is_required: bool = False
    end: str = "absent"
    total: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.equal_names, self.equal_ids = EqualNames(self.equal_names), EqualIds(self.equal_ids)


@dataclass(kw_only=True)
class Directory:
    """A directory."""

    id: str
    name: str
    kind: str
    project: str
    created: float
    expires: float | None = None
    deleted: float | None = None
    description: str | None = None


@dataclass(kw_only=True)
class File:
    """A file of a directory."""

    id: str
    directory: str
    unique_id: str
    display_name: str
    metadata: Any
    sha256: str
    size: int
    created: float
    deleted: float | None = None


class Directories(Account):
    """The directories of an account."""

    knobs: LlamaCloudKnobs

    def __init__(self, key: str, knobs: Knobs) -> None:
        super().__init__(key, knobs)
        self.directories: dict[str, Directory] = {}
        self.files: dict[str, File] = {}

    def refuse(self, status: int, message: str, where: Sequence[str] = ()) -> Answer:
        """Return an error; a validation error if there is a place that it is about."""
        return Answer(status, {"detail": [{"loc": where, "msg": message, "type": "value_error"}] if where else message})

    def has_batch(self, directory: str) -> bool:
        """Return whether a directory has a batch."""
        raise NotImplementedError

    def page(self, asked: Asked, found: Sequence[Any], row: Any) -> Answer:
        size = min(int(asked.one("page_size", "20") or 0), self.knobs.page)
        after = asked.one("page_token")
        start = 0
        if after is not None:
            position = [index for index, one in enumerate(found) if f"after {one.id}" == after]
            if not position:
                return self.refuse(400, "Invalid page token")
            start = position[0] + 1
        page = found[start : start + size]
        body: dict[str, Any] = {"items": [row(one) for one in page]}
        if self.knobs.total:
            body["total_size"] = len(found)
        if start + size < len(found):
            body["next_page_token"] = f"after {page[-1].id}"
        elif self.knobs.end != "absent":
            body["next_page_token"] = None if self.knobs.end == "null" else ""
        return Answer(200, body)

    @route("POST", DIRECTORIES)
    def create_directory(self, asked: Asked) -> Answer:
        self.check_names(asked, *SCOPE)
        body = json_of(asked) or {}
        known = ("name", "type", "description", "connector_subscription_id", "system_metadata")
        required = ("expires_at",) if self.knobs.expires_is_required and body.get("type") == "ephemeral" else ()
        self.check_names(asked, *known, *required, where="body", given=body)
        for name in ("name", *required):
            if not isinstance(body.get(name), str) or not body[name]:
                return self.refuse(422, "Field required", ["body", name])
        is_taken = any(one.name == body["name"] for one in self._directories(asked, with_deleted=True))
        if is_taken and self.knobs.equal_names is not EqualNames.ALLOWED:
            return self.refuse(int(self.knobs.equal_names), "Directory name must be unique within the project")
        is_ephemeral = body.get("type") == "ephemeral"
        directory = Directory(
            id=self.new_id("dir"),
            name=body["name"],
            kind=body.get("type") or "user",
            project=project_of(asked),
            created=self.now(),
            expires=self.now() + HOURS_OF_EPHEMERAL * 3600 if is_ephemeral else None,
            description=body.get("description"),
        )
        self.directories[directory.id] = directory
        return Answer(201, _directory_row(directory))

    def _directories(self, asked: Asked, *, with_deleted: bool) -> Iterator[Directory]:
        for one in self.directories.values():
            if one.project == project_of(asked) and (with_deleted or self._is_there(one)):
                yield one

    def _is_there(self, directory: Directory) -> bool:
        return directory.deleted is None and (directory.expires is None or directory.expires > self.now())

    def directory_of(self, asked: Asked, identifier: str) -> Directory | None:
        found = self.directories.get(identifier)
        return found if found and self._is_there(found) and found.project == project_of(asked) else None

    @route("GET", DIRECTORIES)
    def list_directories(self, asked: Asked) -> Answer:
        self.check_names(asked, *PAGING, "name", "type", "types", "include_deleted")
        name, kinds = asked.one("name"), {*asked.query.get("type", ()), *asked.query.get("types", ())}
        found = self.listed(self._directories(asked, with_deleted=asked.one("include_deleted") == "true"))
        if name is not None:
            found = [one for one in found if one.name == name or (self.knobs.name_is_substring and name in one.name)]
        return self.page(asked, [one for one in found if not kinds or one.kind in kinds], _directory_row)

    @route("GET", f"{DIRECTORIES}/{{}}")
    def get_directory(self, asked: Asked, identifier: str) -> Answer:
        self.check_names(asked, *SCOPE)
        found = self.directory_of(asked, identifier)
        return Answer(200, _directory_row(found)) if found else self.refuse(404, "Directory not found")

    @route("DELETE", f"{DIRECTORIES}/{{}}")
    def delete_directory(self, asked: Asked, identifier: str) -> Answer:
        found = self.directory_of(asked, identifier)
        if found is None:
            return self.refuse(404, "Directory not found")
        found.deleted = self.now()
        return Answer(204)

    # Files ----------------------------------------------------------------------------------------------------------

    @route("POST", f"{DIRECTORIES}/{{}}/files/upload")
    def upload(self, asked: Asked, identifier: str) -> Answer:
        self.check_names(asked, *SCOPE)
        if self.directory_of(asked, identifier) is None:
            return self.refuse(404, "Directory not found")
        parts = parts_of(asked)
        known = ("upload_file", "unique_id", "display_name", "external_file_id", "metadata")
        self.check_names(asked, *known, where="form", given=parts)
        if "upload_file" not in parts:
            return self.refuse(422, "Field required", ["body", "upload_file"])
        texts = {name: part.content.decode() for name, part in parts.items() if name != "upload_file"}
        content, file_name = parts["upload_file"].content, parts["upload_file"].file_name
        if not content:
            self.surprise("An empty file is uploaded")
        if self.has_batch(identifier):
            self.surprise("A file is uploaded into a directory that has a batch")
        unique_id = texts.get("unique_id") or texts.get("external_file_id") or file_name
        equal = [one for one in self.files_of(identifier) if one.unique_id == unique_id]
        if equal and self.knobs.equal_ids is EqualIds.REFUSED:
            return self.refuse(409, "A file with this unique_id is in the directory")
        if self.knobs.equal_ids is EqualIds.REPLACED:
            for one in equal:
                one.deleted = self.now()
        file = File(
            id=self.new_id("dfl"),
            directory=identifier,
            unique_id=unique_id,
            display_name=texts.get("display_name") or file_name,
            metadata=json.loads(texts["metadata"]) if texts.get("metadata") else {},
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            created=self.now(),
        )
        self.files[file.id] = file
        return Answer(201, self._file_row(file))

    def files_of(self, directory: str, at: float | None = None) -> Iterator[File]:
        """Yield the files that a directory has, or had at a time."""
        for one in self.files.values():
            moment = self.now() if at is None else at
            is_there = one.created <= moment and (one.deleted is None or one.deleted > moment)
            if one.directory == directory and is_there:
                yield one

    @route("GET", f"{DIRECTORIES}/{{}}/files")
    def list_files(self, asked: Asked, identifier: str) -> Answer:
        filters = ("unique_id", "file_id", "display_name", "display_name_contains", "include_deleted", "expand")
        self.check_names(asked, *PAGING, *filters, "updated_at_on_or_after", "updated_at_on_or_before")
        if self.directory_of(asked, identifier) is None:
            return self.refuse(404, "Directory not found")
        found = self.listed(self.files_of(identifier))
        for name in ("unique_id", "display_name"):
            if (wanted := asked.one(name)) is not None:
                found = [one for one in found if getattr(one, name) == wanted]
        return self.page(asked, found, self._file_row)

    @route("GET", f"{DIRECTORIES}/{{}}/files/{{}}")
    def get_file(self, asked: Asked, directory: str, identifier: str) -> Answer:
        found = next((one for one in self.files_of(directory) if one.id == identifier), None)
        return Answer(200, self._file_row(found)) if found else self.refuse(404, "File not found")

    @route("DELETE", f"{DIRECTORIES}/{{}}/files/{{}}")
    def delete_file(self, asked: Asked, directory: str, identifier: str) -> Answer:
        for one in self.files_of(directory):
            if one.id == identifier:
                one.deleted = self.now()
                return Answer(204)
        return self.refuse(404, "File not found")

    def _file_row(self, one: File) -> dict[str, Any]:
        return {
            "id": one.id,
            "directory_id": one.directory,
            "display_name": one.display_name,
            "project_id": self.directories[one.directory].project,
            "unique_id": one.unique_id,
            "file_id": f"file-of-{one.id}",
            "metadata": one.metadata,
            "created_at": iso(one.created),
            "updated_at": iso(one.created),
            "deleted_at": iso(one.deleted),
            "download_url": None,
        }


def project_of(asked: Asked) -> str:
    return asked.one("project_id") or PROJECT


def _directory_row(one: Directory) -> dict[str, Any]:
    times = {"created_at": one.created, "updated_at": one.created, "deleted_at": one.deleted, "expires_at": one.expires}
    facts = {"id": one.id, "name": one.name, "project_id": one.project, "type": one.kind}
    return {**facts, "description": one.description, **{name: iso(value) for name, value in times.items()}}
