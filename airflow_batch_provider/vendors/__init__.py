"""What each vendor's API is: all its facts in one file, pure; nothing here sends a request or knows Airflow."""

from __future__ import annotations

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

VENDORS: tuple[Vendor, ...] = (playment.VENDOR, llamacloud.VENDOR, talkifai.VENDOR)
"""The vendors of this package."""

LISTINGS: dict[str, Listing] = {
    listing.name: listing
    for listing in (
        playment.BATCHES,
        playment.BATCH_JOBS,
        llamacloud.BATCHES,
        llamacloud.BATCH_PROCESSING_JOBS,
        talkifai.BATCH_JOBS,
    )
}
"""The listings of this package, by the name that manifests have."""
