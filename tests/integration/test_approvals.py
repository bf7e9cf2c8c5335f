"""The DAGs of the guides that ask a person: what failed is submitted again after an approval only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.sandbox import Sandbox
from tests.integration.approvals import answering
from tests.integration.test_guides import (
    DAY,
    EXPORTS,
    INBOX,
    PYTHON,
    finished_vendors,
    inbox,
    the_dag_in,
)

__all__ = ["finished_vendors", "inbox"]  # fixtures

pytestmark = pytest.mark.usefixtures("airflow_database")

FIRST = {"talkifai": "call", "llamacloud": "parse", "playment": "annotate"}
QUESTIONS = {
    "talkifai": "Call 1 contacts again?",
    "llamacloud": "Parse 1 files again?",
    "playment": "Annotate 1 jobs again?",
}


@pytest.mark.parametrize("vendor", FIRST)
@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_what_failed_is_submitted_again_only_if_it_is_approved(
    vendor: str, option: str, finished_vendors: Sandbox, exports: Path, inbox: Path, dags_folder: Path
) -> None:
    dag = the_dag_that_asks(vendor, exports, inbox, dags_folder)
    with answering(option) as asked:
        run = dag.test(logical_date=DAY)
    assert run.state == "success"
    assert asked == [QUESTIONS[vendor]]
    states = {instance.task_id: str(instance.state) for instance in run.get_task_instances()}
    again = states[f"{FIRST[vendor]}_again"]
    written = getattr(finished_vendors.journal, vendor)
    [first] = exports.rglob("first/_MANIFEST.json")
    manifest = verify_export(first.parent.as_uri())
    if vendor == "talkifai":
        assert written.calls.total == (5 if option == "Approve" else 4)
    if option == "Reject":
        assert again == "skipped"
        assert written.batches.total == 1
        assert list(exports.rglob("second")) == []
        return
    assert again == "success"
    assert written.batches.total == 2
    [second] = exports.rglob("second/_MANIFEST.json")
    assert len(list(read_export(second.parent.as_uri()))) == 1
    assert continued(vendor, finished_vendors, manifest.params["batch_job_id" if vendor == "talkifai" else "batch_id"])


def the_dag_that_asks(vendor: str, exports: Path, inbox: Path, dags_folder: Path) -> Any:
    [block] = [block for block in PYTHON[f"docs/guides/{vendor}.md"] if "ApprovalOperator(" in block.code]
    source = dags_folder / f"{vendor}.py"
    source.write_text(block.code.replace(EXPORTS, exports.as_uri()).replace(INBOX, inbox.as_uri()))
    return the_dag_in(source)


def continued(vendor: str, running: Sandbox, batch_id: object) -> bool:
    """Return whether people at the vendor can see which batch was continued."""
    from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
    from airflow_batch_provider.hooks.playment import PlaymentHook
    from airflow_batch_provider.hooks.talkifai import TalkifAIHook

    rows: Any = {
        "talkifai": TalkifAIHook().iter_batch_jobs,
        "llamacloud": LlamaCloudHook().iter_directories,
        "playment": PlaymentHook().iter_batches,
    }[vendor]()
    return any(f"continues {batch_id}" in str(row.get("description")) for row in rows)
