"""The tests' fourth vendor as the contract's checks see it, and what they need of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    NotFoundError,
    PaymentRequiredError,
    TransientError,
)
from airflow_batch_provider.testing.declared import Declared, collect
from tests.fourth_vendor import acme, operators, provider_info, results, submission
from tests.fourth_vendor.server import connection, job, recordings, serving

MODULES = (acme, results, submission, operators)
RECORDED = ["https://recordings.example/1", "https://recordings.example/2"]


@contextmanager
def fake() -> Iterator[Mapping[str, Any]]:
    with serving(5, "typed") as running:
        yield json.loads(connection(running.server.url))


GIVEN: dict[str, Any] = {
    "answers": {
        "acme.jobs": [{"jobs": [job(1, "typing"), job(2, "queued"), job(3, "typed")], "after": "job 3"}],
        "acme.job": [{**job(1, "typing"), "recordings": 7}],
        "acme.recordings": [{"recordings": recordings(), "after": "recording 9"}],
        "acme.transcript": [{"words": 7, "language": "de", "text_url": "https://acme.example/1"}],
        "acme.create_job": [{**job(1, "queued"), "label": "l"}],
    },
    "errors": [
        (401, {"fault": {"word": "unknown_key", "text": "Who are you?"}}, AuthenticationError),
        (404, {"fault": {"word": "no_such_team", "text": "There is no such team"}}, NotFoundError),
        (409, {"fault": {"word": "no_minutes_left", "text": "Buy some"}}, PaymentRequiredError),
        (409, {"fault": {"word": "warming_up", "text": "Soon"}}, TransientError),
    ],
    "provider_info": provider_info.get_provider_info,
    "serve": fake,
    "runs": [lambda: operators.AcmeRunJobOperator(task_id="run", recordings=RECORDED)],
    "exports": [
        lambda folder: operators.AcmeExportJobsOperator(task_id="export", destination=folder),
        lambda folder: operators.AcmeExportTranscriptsOperator(task_id="export", job_id="job 3", destination=folder),
    ],
}


def declared(**changes: Any) -> Declared:
    """Return the vendor with some things declared otherwise."""
    answers = {name: [json.dumps(sample).encode() for sample in samples] for name, samples in GIVEN["answers"].items()}
    errors = [(status, json.dumps(body).encode(), error) for status, body, error in GIVEN["errors"]]
    facts = {"vendor": acme.VENDOR, **GIVEN, **collect(acme.VENDOR, MODULES), "answers": answers, "errors": errors}
    return Declared(**{**facts, **changes})


def answering(name: str, *samples: Any) -> dict[str, list[bytes]]:
    """Return sample answers of one endpoint."""
    return {name: [json.dumps(sample).encode() for sample in samples]}
