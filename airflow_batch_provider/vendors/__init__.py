"""What each vendor's API is: all its facts in one file, pure; nothing here sends a request or knows Airflow."""

from __future__ import annotations

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.vendors import (
    llamacloud,
    llamacloud_results,
    playment,
    playment_results,
    talkifai,
    talkifai_results,
)

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
"""The listings of batches and jobs, by the name that manifests have."""

RESULTS: dict[str, Results] = {
    results.name: results
    for results in (
        playment_results.JOB_RESULTS,
        llamacloud_results.RESULTS,
        llamacloud_results.PROCESSING_JOB_RESULTS,
        talkifai_results.CONVERSATIONS,
    )
}
"""What batches produced, likewise."""

EXPORTS: dict[str, Listing | Results] = {**LISTINGS, talkifai.CONTACTS.name: talkifai.CONTACTS, **RESULTS}
"""All that there are operators for."""
