"""What a destination is called by others."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

_USUAL_SCHEMES = {"local": "file", "s3a": "s3", "s3n": "s3", "gcs": "gs"}
_AZURE = {"abfs", "abfss", "adl", "az"}

# A URI is ASCII, which some of Airflow's databases insist on; what follows these two would not be the asset's path.
_KEPT = "".join(map(chr, range(0x20, 0x7F))).replace("?", "").replace("#", "")


def split_uri(uri: str) -> tuple[str, str, str]:
    """Return scheme, bucket and path of a destination, without the connection.

    Nothing is decoded; ``?`` and ``#`` are characters of the path like others.
    """
    scheme, _, rest = uri.partition("://")
    netloc, slash, path = rest.partition("/")
    return scheme, netloc.rpartition("@")[2], slash + path


def asset_uri(destination: str) -> str:
    """Return a destination as the URI of an asset: without the connection, which is how to reach it and not what it is.

    :param destination: the folder, as a store spells it
    """
    scheme, host, path = split_uri(destination)
    return f"{scheme}://{host}{quote(path, safe=_KEPT)}"


def destination_dataset(uri: str, account: str | None = None) -> tuple[str, str]:
    """Return namespace and name of a destination, after OpenLineage's rules for object stores and files.

    :param uri: the folder, as its store spells it
    :param account: the storage account, which a container of Azure's is only unique in
    """
    scheme, bucket, path = split_uri(uri)
    scheme = _USUAL_SCHEMES.get(scheme, scheme)
    if scheme == "file":
        return "file", path
    if scheme in _AZURE and account:
        scheme, bucket = "abfss", f"{bucket}@{account}.dfs.core.windows.net"
    return f"{scheme}://{bucket}", path.strip("/") or "/"


def vendor_namespace(base_url: str) -> str:
    """Return the namespace of what a vendor lists: the API's host, without paths."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"
