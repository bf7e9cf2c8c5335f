"""The export operators of this package, made to wait for each upload before they read on, as if nothing ran beside."""

from __future__ import annotations

from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export.uploads import Uploads
from dev.bench.contestants.ours import export, ids

__all__ = ["export", "ids"]


class UploadsInTurn(Uploads):
    """Uploads each part at once.

    :param beside: what the export would do
    """

    def __init__(self, beside: bool) -> None:
        super().__init__(beside=False)


exporting.Uploads = UploadsInTurn  # type: ignore[attr-defined]
