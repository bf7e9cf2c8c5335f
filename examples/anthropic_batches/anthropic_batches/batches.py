"""Anthropic's message batches: their listing, states, results and submission, and the classes that Airflow sees."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from airflow_batch_provider import vendor_kit as kit
from anthropic_batches.provider_info import VENDOR

WORDS = ("processing", "succeeded", "errored", "canceled", "expired")
BATCH_ID = kit.Parameter("batch_id", kit.Identifier(), required=True)
BATCHES = kit.Listing(
    vendor=VENDOR,
    name="anthropic_batches.batches",
    path="/v1/messages/batches",
    parameters=(kit.Parameter("page_size", kit.Integer(1, 1000), "limit", default=100),),
    bodies=(kit.Body(rows="data", next_token="last_id", more="has_more", status="processing_status"),),
    paging=kit.CursorPaging("after_id"),
    created_field="created_at",
    columns=kit.columns(
        id=kit.TEXT,
        processing_status=kit.TEXT,
        request_counts=kit.struct(**dict.fromkeys(WORDS, kit.INTEGER)),
        created_at=kit.TIMESTAMP,
        ended_at=kit.TIMESTAMP,
    ),
)
ONE = kit.Resource(
    vendor=VENDOR, name="anthropic_batches.batch", path="/v1/messages/batches/{batch_id}", parameters=(BATCH_ID,)
)
CANCEL = kit.Resource(
    vendor=VENDOR, name="anthropic_batches.cancel", path=f"{ONE.path}/cancel", method="POST", parameters=(BATCH_ID,)
)
COUNTS = tuple(f"request_counts.{word}" for word in WORDS)
FIELDS = kit.StateFields(
    {"in_progress": kit.RUNNING, "canceling": kit.RUNNING, "ended": kit.SUCCEEDED},
    status="processing_status",
    counts=COUNTS,
    failed_items=("request_counts.errored", "request_counts.expired"),
    updated_at="ended_at",
)


def read_state(batch: Mapping[str, Any]) -> kit.BatchState:
    """Read the state of a batch. One that was canceled says "ended" too; its requests tell the difference."""
    state = FIELDS(batch)
    was_canceled = state.outcome is kit.SUCCEEDED and state.counts.get("request_counts.canceled")
    return replace(state, outcome=kit.CANCELLED) if was_canceled else state


BATCH = kit.BatchKind(
    name=f"{__name__}.BATCH", listing=BATCHES, single=ONE, id_parameter="batch_id", cancel=CANCEL, state=read_state
)

ANSWERS = kit.Listing(
    vendor=VENDOR,
    name="anthropic_batches.answers",
    path=f"{ONE.path}/results",
    parameters=(BATCH_ID,),
    bodies=(kit.Body(is_lines=True, id="custom_id", status="result.type"),),
    paging=kit.WholePaging(),
    columns=kit.columns(custom_id=kit.TEXT),
)
RESULTS = kit.results(
    BATCH,
    name="anthropic_batches.results",
    items=ANSWERS,
    fields=kit.ItemFields(
        status="result.type",
        outcomes={
            "succeeded": kit.ItemOutcome.OK,
            "expired": kit.ItemOutcome.MISSING,
            "canceled": kit.ItemOutcome.SKIPPED,
        },
        error="result.error.error.message",
        result="result",
    ),
    counts=COUNTS,
)

CREATE = kit.Resource(
    vendor=VENDOR, name="anthropic_batches.create", path=BATCHES.path, method="POST", is_repeatable=False
)


def create(work: kit.Work) -> kit.Plan[kit.Found | kit.Refused | kit.Ambiguous]:
    """Create a batch with its requests."""
    return (yield from kit.create(CREATE, json={"requests": [row for _, row in work.items]}, is_paid=True))


SUBMISSION = kit.submission(
    BATCH,
    name="anthropic_batches.batch",
    what="requests",
    rows=(
        kit.Parameter("custom_id", kit.Text(64), required=True),
        kit.Parameter("params", kit.JsonObject(), required=True),
    ),
    unique="custom_id",
    most_items=100_000,
    create=create,
    counts=COUNTS,
)


class AnthropicBatchesHook(kit.BatchApiHook):
    """Anthropic's Message Batches API, over an Airflow connection of type ``anthropic_batches``."""

    vendor, probe = VENDOR, BATCHES


class AnthropicBatchSensor(kit.Declared, kit.BatchSensor):
    """Waits until a batch has ended."""

    kind, id_field, hook_class = BATCH, "batch_id", AnthropicBatchesHook


class AnthropicExportBatchesOperator(kit.Declared, kit.ListingExportOperator):
    """Exports the batches of a workspace."""

    listing, hook_class = BATCHES, AnthropicBatchesHook


class AnthropicExportResultsOperator(kit.Declared, kit.ResultsExportOperator):
    """Exports the results of a batch: a row for each request."""

    results, batch_kind, hook_class = RESULTS, BATCH, AnthropicBatchesHook


class AnthropicRunBatchOperator(kit.Declared, kit.RunBatchOperator):
    """Submits requests as a batch, once, and waits until it has ended."""

    submission, rows_field, hook_class = SUBMISSION, "requests", AnthropicBatchesHook

    def items(self) -> "kit.Rows":
        """Return the requests."""
        return self.rows()


class AnthropicCancelBatchOperator(kit.Declared, kit.CancelBatchOperator):
    """Cancels a batch."""

    kind, id_field, hook_class = BATCH, "batch_id", AnthropicBatchesHook


class AnthropicFinishedBatchesOperator(kit.Declared, kit.FinishedBatchesOperator):
    """Finds the batches that have ended and are not exported yet."""

    kind, hook_class = BATCH, AnthropicBatchesHook
