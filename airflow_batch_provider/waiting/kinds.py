"""The kinds of batch that can be waited for, by the names that triggers carry."""

from __future__ import annotations

from airflow_batch_provider.apis import llamacloud, playment, talkifai
from airflow_batch_provider.apis.batch_state import BatchKind

KINDS: dict[str, BatchKind] = {
    kind.name: kind
    for kind in (
        playment.BATCH_KIND,
        llamacloud.BATCH_KIND,
        llamacloud.BATCH_PROCESSING_JOB_KIND,
        talkifai.BATCH_JOB_KIND,
    )
}
