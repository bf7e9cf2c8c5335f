"""Compares an export with the rules that it must keep to be published."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from airflow_batch_provider.apis.results import FAILURES, ItemOutcome
from airflow_batch_provider.exceptions import ExpectationError
from airflow_batch_provider.expect import FLAG, ROWS, SHARE, Expect
from airflow_batch_provider.export.manifest import Manifest


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of :class:`~airflow_batch_provider.expect.Expect`, read; None for those that were not given."""

    rows_at_least: int | None = None
    fewer_rows_at_most: Fraction | None = None
    item_failures_at_most: Fraction | None = None
    none_missing: bool = False

    @classmethod
    def of(cls, expect: Expect) -> Expectations:
        """Read rules that have been checked.

        :param expect: the rules
        """
        return cls(
            rows_at_least=ROWS.parse(expect.get("rows_at_least")),
            fewer_rows_at_most=SHARE.parse(expect.get("fewer_rows_at_most")),
            item_failures_at_most=SHARE.parse(expect.get("item_failures_at_most")),
            none_missing=FLAG.encode(expect.get("none_missing")) == "true",
        )

    def check(self, export: Manifest, replaced: Manifest | None, uri: str) -> None:
        """Check an export that is about to be published.

        :param export: its manifest
        :param replaced: the manifest of the export that it replaces, if there is one
        :param uri: where it would be published
        :raises ExpectationError: it breaks a rule
        """
        broken = [*filter(None, (self._rows(export), self._fewer(export, replaced), *self._items(export)))]
        if broken:
            raise ExpectationError(
                f"{export.listing} has {export.rows} rows: {'; '.join(broken)}. Nothing was published at {uri}. "
                "To publish it anyway, remove that rule from expect and clear the task."
            )

    def _rows(self, export: Manifest) -> str | None:
        is_broken = self.rows_at_least is not None and export.rows < self.rows_at_least
        return f"rows_at_least is {self.rows_at_least}" if is_broken else None

    def _fewer(self, export: Manifest, replaced: Manifest | None) -> str | None:
        if self.fewer_rows_at_most is None or replaced is None:
            return None
        fewer = replaced.rows - export.rows
        if fewer <= self.fewer_rows_at_most * replaced.rows:
            return None
        return (
            f"{fewer} fewer than the {replaced.rows} of {replaced.finished_at} that it would replace, "
            f"a share of {_written(Fraction(fewer, replaced.rows))}, "
            f"but fewer_rows_at_most is {_written(self.fewer_rows_at_most)}"
        )

    def _items(self, export: Manifest) -> list[str]:
        missing = export.outcomes.get(ItemOutcome.MISSING, 0)
        failures = sum(export.outcomes.get(outcome, 0) for outcome in FAILURES)
        broken = []
        if self.item_failures_at_most is not None and failures > self.item_failures_at_most * export.rows:
            broken.append(
                f"{failures} items are failed, partial or missing, "
                f"a share of {_written(Fraction(failures, export.rows))}, "
                f"but item_failures_at_most is {_written(self.item_failures_at_most)}"
            )
        if self.none_missing and missing:
            broken.append(f"{missing} items are missing, but none_missing is set")
        return broken


def _written(share: Fraction) -> str:
    return f"{float(share):.4g}"
