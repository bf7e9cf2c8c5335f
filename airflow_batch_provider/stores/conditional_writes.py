"""How stores write, which fsspec has no word for: atomic puts, conditional puts, and copies that take a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class ConditionalWrites:
    """How a kind of store writes on a condition.

    :param version_key: what its file information calls the version of a file
    :param put_if: puts bytes at a path if the file there has a version, or if none is there; else it raises
    :param copy: copies a file on the server and returns when that is done; None where fsspec's own copy does
    :param list_after: lists a folder and all below it, in the order of names, from after a name on: at most a thousand
        files with their versions, and whether there are more; None if the store cannot begin there
    """

    version_key: str
    put_if: Callable[[Any, str, bytes, str | None], Awaitable[None]]
    copy: Callable[[Any, str, str], Awaitable[None]] | None = None
    list_after: Callable[[Any, str, str], Awaitable[tuple[list[tuple[str, str]], bool]]] | None = None

    def version(self, info: dict[str, Any]) -> str:
        """Return the version in a file's information."""
        return str(info[self.version_key])


def conditional_writes_of(fs: object) -> ConditionalWrites | None:
    """Return how a file system writes on a condition, None if it does not."""
    return next((_STORES[base.__name__] for base in type(fs).__mro__ if base.__name__ in _STORES), None)


def puts_atomically(fs: object) -> bool:
    """Return whether a file system writes a small file in one request.

    One that has no put of its own takes fsspec's, which opens the final path and writes to it: SFTP, FTP, SMB, HDFS.
    """
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    name = "_pipe_file" if getattr(fs, "async_impl", False) else "pipe_file"
    defaults = (AbstractFileSystem.pipe_file, AsyncFileSystem._pipe_file)
    return getattr(type(fs), name, None) not in (None, *defaults)


async def _put_if_on_s3(fs: Any, path: str, content: bytes, version: str | None) -> None:
    bucket, key, _ = fs.split_path(path)
    condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
    await fs._call_s3("put_object", Bucket=bucket, Key=key, Body=content, **condition)


async def _put_if_on_azure(fs: Any, path: str, content: bytes, version: str | None) -> None:
    from azure.core import MatchConditions

    container, name, _ = fs.split_path(path)
    condition = {} if version is None else {"etag": version, "match_condition": MatchConditions.IfNotModified}
    async with fs.service_client.get_blob_client(container, name) as blob:
        # As adlfs marks all files that it writes.
        await blob.upload_blob(content, overwrite=version is not None, metadata={"is_directory": "false"}, **condition)


async def _put_if_on_google(fs: Any, path: str, content: bytes, version: str | None) -> None:
    bucket, key, _ = fs.split_path(path)
    await fs._call(
        "POST",
        f"{fs._location}/upload/storage/v1/b/{quote(bucket)}/o",
        uploadType="media",
        name=key,
        ifGenerationMatch="0" if version is None else version,
        headers={"Content-Type": "application/octet-stream"},
        data=content,
    )


async def _copy_on_azure(fs: Any, source: str, target: str) -> None:
    container, name, _ = fs.split_path(source)
    _, target_name, _ = fs.split_path(target)
    client = fs.service_client.get_container_client(container)
    blob = client.get_blob_client(target_name)
    copy = await blob.start_copy_from_url(client.get_blob_client(name).url)
    status = copy["copy_status"]
    while status == "pending":
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        status = (await blob.get_blob_properties()).copy.status
    if status != "success":
        raise OSError(f"the copy to {target} ended as {status}")


async def _list_after_on_s3(fs: Any, folder: str, after: str) -> tuple[list[tuple[str, str]], bool]:
    bucket, prefix, _ = fs.split_path(f"{folder}/")
    begin = f"{prefix}{after}"
    answer = await fs._call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, StartAfter=begin, MaxKeys=1000)
    found = [(item["Key"].removeprefix(prefix), str(item["ETag"])) for item in answer.get("Contents", ())]
    return found, bool(answer.get("IsTruncated"))


_STORES = {
    "S3FileSystem": ConditionalWrites("ETag", _put_if_on_s3, list_after=_list_after_on_s3),
    "AzureBlobFileSystem": ConditionalWrites("etag", _put_if_on_azure, _copy_on_azure),
    "GCSFileSystem": ConditionalWrites("generation", _put_if_on_google),
}
