"""What can be known of a place before it is opened: the form of its URI, and the library that its store needs."""

from __future__ import annotations

from airflow_batch_provider.apis.literals import LATER, literal_of
from airflow_batch_provider.libraries import Library
from airflow_batch_provider.stores.destination_uri import destination_uri
from airflow_batch_provider.stores.role import DESTINATION, Role

LIBRARIES: dict[str, Library] = {
    **dict.fromkeys(("s3", "s3a", "s3n"), Library("s3fs", "amazon")),
    **dict.fromkeys(("gs", "gcs"), Library("gcsfs", "google")),
    **dict.fromkeys(("abfs", "abfss", "adl"), Library("adlfs", "azure")),
}
"""By scheme, what Airflow's file systems of that store import."""


def check_place(place: object, role: Role) -> None:
    """Check a place that a DAG file names, as far as it says it.

    :param place: a URI or a path, several of them, or something else, which is left alone
    :param role: what it is to the task
    :raises DestinationError: it is no URI and no absolute path
    :raises InvalidParameterError: the library of its store is not installed
    """
    for text in place if isinstance(place, (list, tuple)) else [place]:
        if not isinstance(text, str):
            continue
        scheme = text.partition("://")[0].lower()
        if library := LIBRARIES.get(scheme):
            library.require(f"{role}='{scheme}://...'")
        if role.thing == DESTINATION.thing and literal_of(text) is not LATER:
            destination_uri(text, role)
