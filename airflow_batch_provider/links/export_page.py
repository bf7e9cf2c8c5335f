"""The link to an export that was published."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_batch_provider.links.configured import pages

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

    from airflow_batch_provider.stores.destination import Store

_AMAZON_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The consoles by partition, as Airflow's own provider for Amazon links to them."""


class PublishedExportLink(BaseOperatorLink):
    """A link from a task that exported to a web page of the folder.

    It leads to the console of Amazon S3 or Google Cloud Storage, or to the page that ``[batch_provider] export_pages``
    in Airflow's configuration has for the destination. Other stores need that option: Azure's portal needs the
    subscription and resource group, and browsers do not open local files from a web page. The link contains no key and
    no signature.
    """

    name = "Published export"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the page, or an empty text if none is known or nothing was published."""
        store: Store | None = getattr(operator, "published_to", None)
        return (store and page_of_folder(store)) or ""


def page_of_folder(store: Store) -> str | None:
    """Return a web page that shows the content of a folder, or None if none is known.

    :param store: the folder
    """
    return _configured(store) or _console(store)


def _configured(store: Store) -> str | None:
    """Return the page that the configuration gives, for the longest of its beginnings that fits."""
    scheme, _, rest = store.uri.partition("://")
    bucket, slash, folder = rest.partition("/")
    place = f"{scheme}://{bucket.rpartition('@')[2]}{slash}{folder}"
    table = {beginning.rstrip("/"): page for beginning, page in pages("export_pages").items()}
    fitting = [beginning for beginning in table if f"{place}/".startswith(f"{beginning}/")]
    if not fitting:
        return None
    beginning = max(fitting, key=len)
    return table[beginning].replace("{path}", _quoted(place[len(beginning) :]))


def _console(store: Store) -> str | None:
    """Return the page of the vendor's console, if the file system is the vendor's own."""
    bucket, _, folder = store.root.partition("/")
    kinds = {base.__name__ for base in type(store.fs).__mro__}
    if "S3FileSystem" in kinds:
        meta = store.fs.s3.meta
        console = _AMAZON_CONSOLES.get(meta.partition)
        if console and _is_of(meta.endpoint_url, "amazonaws.com", "amazonaws.com.cn"):
            return f"https://{console}/s3/buckets/{quote(bucket, safe='')}?prefix={_quoted(folder)}"
    if "GCSFileSystem" in kinds and _is_of(store.fs._location, "googleapis.com"):
        # Google's page "Cloud Storage and the console" gives this address, and that it must end with a slash.
        return f"https://console.cloud.google.com/storage/browser/{quote(bucket, safe='')}/{_quoted(folder)}"
    return None


def _is_of(url: str, *domains: str) -> bool:
    host = urlsplit(url).hostname or ""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _quoted(folder: str) -> str:
    """Return a folder's path as a part of a URL, with a slash at its end."""
    path = folder.strip("/")
    return f"{quote(path)}/" if path else ""
