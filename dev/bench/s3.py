"""Runs SeaweedFS, a real S3 server, on the server's core."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.integration.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS, program, seaweedfs

BUCKET = "raw"
VOLUME_MEGABYTES = 1024


@contextlib.contextmanager
def s3_server(prefix: Sequence[str]) -> Iterator[SeaweedFS | None]:
    """Run the server with an empty bucket; give None where its program is not installed.

    :param prefix: what to put before the command, to pin it
    """
    if program() is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, seaweedfs(Path(folder), prefix, VOLUME_MEGABYTES) as server:
        _create_bucket(server)
        yield server


def _create_bucket(server: SeaweedFS) -> None:
    import boto3

    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys).create_bucket(Bucket=BUCKET)
