"""The link to the vendor's own page of a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_batch_provider.apis.parameter import Identifier
from airflow_batch_provider.links.configured import pages

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey

DOCUMENTED: Mapping[str, str] = {
    "talkifai.batch_job": "https://studio.talkifai.dev/batch-calls/{batch_id}",
}
"""The pages that a vendor documents, by kind of batch.

TalkifAI's page "Batch Calling" gives ``/batch-calls/{batchId}`` as the address of a batch in Studio, to be opened
"directly via URL", and its "Quick Start" links to Studio. Playment's and LlamaCloud's documentation, read in November
2026, names a batch's page nowhere.
"""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class BatchPageLink(BaseOperatorLink):
    """A link from a task that waits to the batch's page at the vendor.

    It exists if the vendor documents such a page, or ``[batch_provider] batch_pages`` in Airflow's configuration has
    one.
    """

    name = "Batch at the vendor"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL of the page, or an empty text if none is known."""
        id_field = getattr(operator, "id_field", None)
        kind = getattr(operator, "kind", None)
        if kind is None:
            return ""
        named = {name: getattr(operator, name, None) for name in kind.scope}
        return page_of_batch(kind.name, {**named, "batch_id": getattr(operator, id_field) if id_field else None}) or ""


def page_of_batch(kind: str, values: Mapping[str, object]) -> str | None:
    """Return a batch's page at the vendor, or None where none is known.

    :param kind: the kind of batch, ``vendor.thing``
    :param values: what the task knows: ``batch_id``, and perhaps ``project_id`` and ``organization_id``
    """
    page = {**DOCUMENTED, **pages("batch_pages")}.get(kind)
    if page is None:
        return None
    for name in _PLACEHOLDER.findall(page):
        text = Identifier().encode(values.get(name))
        if text is None:
            return None
        page = page.replace(f"{{{name}}}", quote(text, safe=""))
    return page
