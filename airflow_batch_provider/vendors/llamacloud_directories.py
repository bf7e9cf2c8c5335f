"""LlamaCloud: directories, the files in them, and configurations: what batches are made from.

Sources: the vendor's OpenAPI document of August 2026 and its SDK ``llama-cloud`` 2.19.0.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Mapping
from typing import IO, Any

from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.paging import CursorPaging
from airflow_batch_provider.apis.parameter import (
    Boolean,
    Choice,
    Identifier,
    Integer,
    JsonObject,
    Parameter,
    Text,
    Timestamp,
)
from airflow_batch_provider.apis.request import Part
from airflow_batch_provider.vendors.llamacloud import ORGANIZATION, PROJECT, VENDOR

MEGABYTE = 1_000_000
LARGEST_FILE = 512 * MEGABYTE
LARGEST_EXTRACTED_FILE = 100 * MEGABYTE
"""Bytes of a file at most, for the platform and for extraction (page "Limitations")."""
MOST_FILES = 1000
"""Files of a batch at most."""

_DIRECTORY = Parameter("directory_id", Identifier(), required=True)
_UNIQUE_ID = Parameter("unique_id", Identifier(), "unique_id", in_body=True)
_DISPLAY_NAME = Parameter("display_name", Text(), "display_name", in_body=True)

# Whether the name matches whole or in part is not said.
DIRECTORIES = Listing(
    vendor=VENDOR,
    name="llamacloud.directories",
    path="/api/v1/beta/directories",
    parameters=(
        Parameter("name", Text(), "name"),
        Parameter("include_deleted", Boolean(), "include_deleted"),
        Parameter("page_size", Integer(1, 100), "page_size", default=100),
        PROJECT,
        ORGANIZATION,
    ),
    bodies=(Body(rows="items", next_token="next_page_token", total="total_size"),),
    paging=CursorPaging("page_token"),
)

# expires_at was required for ephemeral directories until mid-2026, and is not known to the newest API.
CREATE_DIRECTORY = Resource(
    vendor=VENDOR,
    name="llamacloud.create_directory",
    path="/api/v1/beta/directories",
    method="POST",
    parameters=(
        Parameter("name", Text(), "name", required=True, in_body=True),
        Parameter("type", Choice(("user", "ephemeral")), "type", default="user", in_body=True),
        Parameter("description", Text(), "description", in_body=True),
        Parameter("expires_at", Timestamp(), "expires_at", in_body=True),
        PROJECT,
        ORGANIZATION,
    ),
    is_repeatable=False,
)

# A multipart form: upload_file, unique_id, display_name, and metadata as JSON text.
UPLOAD_FILE = Resource(
    vendor=VENDOR,
    name="llamacloud.upload_file",
    path="/api/v1/beta/directories/{directory_id}/files/upload",
    method="POST",
    parameters=(_DIRECTORY, PROJECT, ORGANIZATION),
    is_repeatable=False,
)

ADD_FILE = Resource(
    vendor=VENDOR,
    name="llamacloud.add_file",
    path="/api/v1/beta/directories/{directory_id}/files",
    method="POST",
    parameters=(
        _DIRECTORY,
        Parameter("file_id", Identifier(), "file_id", required=True, in_body=True),
        _UNIQUE_ID,
        _DISPLAY_NAME,
        Parameter("metadata", JsonObject(), "metadata", in_body=True),
        PROJECT,
        ORGANIZATION,
    ),
    is_repeatable=False,
)

PURPOSES = ("user_data", "parse", "extract", "classify", "split", "sheet", "agent_app")

# A multipart form: file, purpose and external_file_id, by which it can be listed and which need not be unique.
CREATE_FILE = Resource(
    vendor=VENDOR,
    name="llamacloud.create_file",
    path="/api/v1/beta/files",
    method="POST",
    parameters=(PROJECT, ORGANIZATION),
    is_repeatable=False,
)

DELETE_FILE = Resource(
    vendor=VENDOR,
    name="llamacloud.delete_directory_file",
    path="/api/v1/beta/directories/{directory_id}/files/{directory_file_id}",
    method="DELETE",
    parameters=(_DIRECTORY, Parameter("directory_file_id", Identifier(), required=True), PROJECT, ORGANIZATION),
    id=None,
    may_be_empty=True,
)

# It replaces what has the same name and product type, so it may be sent again.
SAVE_CONFIGURATION = Resource(
    vendor=VENDOR,
    name="llamacloud.save_configuration",
    path="/api/v1/beta/configurations",
    method="POST",
    parameters=(
        Parameter("name", Text(255), "name", required=True, in_body=True),
        Parameter("parameters", JsonObject(), "parameters", required=True, in_body=True),
        PROJECT,
        ORGANIZATION,
    ),
)


def file_part(field: str, name: str, open_file: Callable[[], IO[bytes]], size: int) -> Part:
    """Return the part of a form that has a file.

    :param field: the part's name
    :param name: the file's name
    :param open_file: opens it
    :param size: its bytes
    """
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Part(field, open=open_file, size=size, filename=name, content_type=media_type)


def text_parts(**texts: str | None) -> tuple[Part, ...]:
    """Return the parts of a form that are texts, without those that are None."""
    return tuple(Part(name, text.encode()) for name, text in texts.items() if text is not None)


def upload_parts(
    filename: str,
    open_file: Callable[[], IO[bytes]],
    size: int,
    *,
    unique_id: str | None = None,
    display_name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[Part, ...]:
    """Return the form that uploads a file to a directory.

    :param filename: its name
    :param open_file: opens it
    :param size: its bytes
    :param unique_id: what it is known by in the directory
    :param display_name: what people call it
    :param metadata: facts on it
    """
    facts = json.dumps(metadata) if metadata else None
    texts = text_parts(unique_id=unique_id, display_name=display_name, metadata=facts)
    return *texts, file_part("upload_file", filename, open_file, size)
