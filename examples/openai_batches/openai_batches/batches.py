"""OpenAI's batches: their listing, states, results and submission, and the classes that Airflow sees."""

from airflow_batch_provider import vendor_kit as kit
from openai_batches.provider_info import VENDOR

BATCH_ID = kit.Parameter("batch_id", kit.Identifier(), required=True)
BATCHES = kit.Listing(
    vendor=VENDOR,
    name="openai_batches.batches",
    path="/v1/batches",
    parameters=(kit.Parameter("page_size", kit.Integer(1, 100), "limit", default=100),),
    bodies=(kit.Body(rows="data", more="has_more"),),
    paging=kit.LastIdPaging("after"),
    created_field="created_at",
    created_clock=kit.Clock.UNIX_SECONDS,
    columns=kit.columns(
        id=kit.TEXT, status=kit.TEXT, endpoint=kit.TEXT, created_at=kit.UNIX_SECONDS, metadata=kit.JSON
    ),
)
ONE = kit.Resource(vendor=VENDOR, name="openai_batches.batch", path="/v1/batches/{batch_id}", parameters=(BATCH_ID,))
CANCEL = kit.Resource(
    vendor=VENDOR, name="openai_batches.cancel", path=f"{ONE.path}/cancel", method="POST", parameters=(BATCH_ID,)
)
ENDS = {"completed": kit.SUCCEEDED, "failed": kit.FAILED, "expired": kit.FAILED, "cancelled": kit.CANCELLED}
BATCH = kit.BatchKind(
    name=f"{__name__}.BATCH",
    listing=BATCHES,
    single=ONE,
    id_parameter="batch_id",
    cancel=CANCEL,
    state=kit.StateFields(
        dict.fromkeys(("validating", "in_progress", "finalizing", "cancelling"), kit.RUNNING) | ENDS,
        counts=("request_counts.total", "request_counts.completed", "request_counts.failed"),
        failed_items="request_counts.failed",
        reason="errors.data.0.message",
        updated_at="completed_at",
        clock=kit.Clock.UNIX_SECONDS,
    ),
)

LINES = kit.Listing(
    vendor=VENDOR,
    name="openai_batches.lines",
    path="/v1/files/{file_id}/content",
    parameters=(kit.Parameter("file_id", kit.Identifier(), required=True),),
    bodies=(kit.Body(is_lines=True, id="custom_id"),),
    paging=kit.WholePaging(),
    columns=kit.columns(custom_id=kit.TEXT, method=kit.TEXT, url=kit.TEXT, body=kit.JSON),
)
RESULTS = kit.results(
    BATCH,
    name="openai_batches.results",
    items=LINES,
    items_at={"file_id": "input_file_id"},
    answers=LINES,
    answers_at=({"file_id": "output_file_id"}, {"file_id": "error_file_id"}),
    fields=kit.ItemFields(
        status=("error.code", "response.status_code"),
        outcomes={"200": kit.ItemOutcome.OK, "batch_expired": kit.ItemOutcome.MISSING},
        error=("error.message", "response.body.error.message"),
    ),
    counts=("request_counts.total",),
    again=lambda row: row["item"],
)

UPLOAD = kit.Resource(vendor=VENDOR, name="openai_batches.upload", path="/v1/files", method="POST")
CREATE = kit.Resource(
    vendor=VENDOR, name="openai_batches.create", path=BATCHES.path, method="POST", is_repeatable=False
)


def create(work: kit.Work) -> kit.Plan[kit.Found | kit.Refused | kit.Ambiguous]:
    """Upload the requests as a file, and create a batch of it. A file without a batch costs nothing."""
    url = work.values.get("endpoint") or "/v1/chat/completions"
    lines = kit.json_lines(
        "file", lambda: ({"method": "POST", "url": url, **row} for _, row in work.items), filename=f"{work.key}.jsonl"
    )
    file = yield from kit.create(UPLOAD, parts=(kit.Part("purpose", b"batch"), lines))
    if not isinstance(file, kit.Found):
        return file
    batch = {"input_file_id": file.document["id"], "endpoint": url, "completion_window": "24h"}
    metadata = {"airflow": work.key, "task": work.text[:512]}
    return (yield from kit.create(CREATE, json={**batch, "metadata": metadata}, is_paid=True))


SUBMISSION = kit.submission(
    BATCH,
    name="openai_batches.batch",
    what="requests",
    rows=(
        kit.Parameter("custom_id", kit.Text(64), required=True),
        kit.Parameter("body", kit.JsonObject(), required=True),
        kit.Parameter("method", kit.Choice(("POST",))),
        kit.Parameter("url", kit.Text()),
    ),
    unique="custom_id",
    most_items=50_000,
    create=create,
    key="metadata.airflow",
    parameters=(kit.Parameter("endpoint", kit.Text()),),
)


class OpenAIBatchesHook(kit.BatchApiHook):
    """OpenAI's Batch API, over an Airflow connection of type ``openai_batches``."""

    vendor, probe = VENDOR, BATCHES


class OpenAIBatchSensor(kit.Declared, kit.BatchSensor):
    """Waits until a batch has ended."""

    kind, id_field, hook_class = BATCH, "batch_id", OpenAIBatchesHook


class OpenAIExportBatchesOperator(kit.Declared, kit.ListingExportOperator):
    """Exports the batches of a project."""

    listing, hook_class = BATCHES, OpenAIBatchesHook


class OpenAIExportResultsOperator(kit.Declared, kit.ResultsExportOperator):
    """Exports the results of a batch: a row for each request."""

    results, batch_kind, hook_class = RESULTS, BATCH, OpenAIBatchesHook


class OpenAIRunBatchOperator(kit.Declared, kit.RunBatchOperator):
    """Submits requests as a batch, once, and waits until it has ended."""

    submission, rows_field, hook_class = SUBMISSION, "requests", OpenAIBatchesHook

    def items(self) -> "kit.Rows":
        """Return the requests."""
        return self.rows()


class OpenAICancelBatchOperator(kit.Declared, kit.CancelBatchOperator):
    """Cancels a batch."""

    kind, id_field, hook_class = BATCH, "batch_id", OpenAIBatchesHook


class OpenAIFinishedBatchesOperator(kit.Declared, kit.FinishedBatchesOperator):
    """Finds the batches that have ended and are not exported yet."""

    kind, hook_class = BATCH, OpenAIBatchesHook
