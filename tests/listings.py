"""The five listings of the package, by name, and values that each of them takes."""

from __future__ import annotations

from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

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
VALUES = {"project_id": "p/1", "batch_id": "b 1", "organization_id": "o"}
"""The path of each listing with them is in ``vendor_server.PATHS``."""
