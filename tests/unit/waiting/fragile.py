"""A kind of batch of another package, whose declaration fails on what it did not expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.vendors import llamacloud


def _state(batch: Mapping[str, Any]) -> BatchState:
    len(batch.get("request_counts", ()))
    return llamacloud.BATCH_KIND.state(batch)


KIND = replace(llamacloud.BATCH_KIND, name=f"{__name__}.KIND", state=_state)
