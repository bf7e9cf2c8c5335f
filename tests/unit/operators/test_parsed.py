"""What no run of a task could use fails when its DAG is parsed: every parameter of every operator and sensor."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, task

from airflow_batch_provider import libraries
from airflow_batch_provider.exceptions import DestinationError, InvalidParameterError
from airflow_batch_provider.get_provider_info import get_provider_info
from airflow_batch_provider.hooks.checked_task import CheckedTask
from airflow_batch_provider.operators.llamacloud import (
    LlamaCloudExportBatchProcessingJobsOperator,
    LlamaCloudExportBatchResultsOperator,
    LlamaCloudRunBatchOperator,
)
from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator, PlaymentExportBatchJobsOperator
from airflow_batch_provider.operators.talkifai import TalkifAIFinishedBatchJobsOperator, TalkifAIRunBatchJobOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.sensors.talkifai import TalkifAIBatchJobSensor

PACKAGE = "airflow_batch_provider."
MODULES = [
    module
    for kind in ("operators", "sensors")
    for entry in get_provider_info()[kind]
    for module in entry["python-modules"]
]
TASKS: dict[str, type[CheckedTask]] = {
    name: found
    for module in [*MODULES, f"{PACKAGE}operators.verify"]
    for name, found in vars(importlib.import_module(module)).items()
    if isinstance(found, type) and issubclass(found, BaseOperator) and found.__module__ == module and name[0] != "_"
}

NEEDED: dict[str, Any] = {
    **dict.fromkeys(("destination", "exports"), "/tmp/exports"),
    **dict.fromkeys(("batch_id", "job_id", "batch_job_id", "name", "from_phone_number_id", "configuration_id"), "x"),
    **dict.fromkeys(("contacts", "jobs"), "/tmp/rows.csv"),
    "job_type": "parse_v2",
    "job_config": {"job_name": "parse_raw_file_job"},
}
"""Parameters without a default."""

OF_AIRFLOW = {"deferrable", "timeout"}
"""Airflow checks these itself, if anybody does."""

WRONG = (" ", "no such value")


def own_parameters(made: type[CheckedTask]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a task that are not Airflow's."""
    return {
        name: parameter
        for base in reversed(made.__mro__)
        if base.__module__.startswith(PACKAGE) and "__init__" in vars(base)
        for name, parameter in inspect.signature(base.__init__).parameters.items()  # type: ignore[misc]
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def needed(made: type[CheckedTask], *others: str) -> dict[str, Any]:
    """Return values of the parameters without a default, but those of some names."""
    names = [name for name, known in own_parameters(made).items() if known.default is known.empty]
    return {"task_id": "t", **{name: NEEDED[name] for name in names if name not in others}}


def wrong(made: type[CheckedTask], name: str) -> str:
    return next(value for value in WRONG if made.domains()[name].encode(value) is None)


def others(made: type[CheckedTask], name: str) -> list[str]:
    """Return values that are not known before the task runs."""
    return ["{{ params.x }}"] if name in made.template_fields else []


def test_there_are_tasks_to_check() -> None:
    assert len(TASKS) > 25
    assert all(issubclass(made, CheckedTask) for made in TASKS.values())


@pytest.mark.parametrize("made", TASKS.values(), ids=TASKS)
def test_every_parameter_is_checked(made: type[CheckedTask]) -> None:
    """A parameter that takes any value ends in ``_conn_id``, or is Airflow's; what a new one takes must be declared."""
    unchecked = {name for name in own_parameters(made) if not name.endswith("_conn_id")} - OF_AIRFLOW
    assert unchecked <= set(made.checked())


@pytest.mark.parametrize("made", TASKS.values(), ids=TASKS)
def test_a_wrong_literal_fails_when_the_dag_is_parsed(made: Any) -> None:
    ways: list[Callable[[str, str], Any]] = [
        lambda name, value: made(**{**needed(made), name: value}),
        lambda name, value: made.partial(**{**needed(made), name: value}),
        lambda name, value: made.partial(**needed(made, name)).expand(**{name: [*others(made, name), value]}),
        lambda name, value: made.partial(**needed(made, name)).expand_kwargs([{name: value}]),
    ]
    for name in made.domains():
        value = wrong(made, name)
        for way in ways:
            with pytest.raises(InvalidParameterError) as raised:
                way(name, value)
            assert f"{made.__name__}: {name}={value!r} is not allowed; allowed is " in str(raised.value)
            assert raised.value.__notes__ == ["The task is 't'."]


@pytest.mark.parametrize("made", TASKS.values(), ids=TASKS)
def test_what_is_known_later_is_checked_later(made: Any) -> None:
    with DAG("d"):

        @task
        def upstream() -> Any: ...

        output: Any = upstream()
        for number, name in enumerate(name for name in made.checked() if name in made.template_fields):
            for way, value in enumerate(("{{ params.x }}", "{% if params.x %}a{% endif %}", output)):
                made(**{**needed(made), "task_id": f"t{number}_{way}", name: value})
            mapped = made.partial(**{**needed(made, name), "task_id": f"m{number}"})
            mapped.expand(**{name: output})


def export(**parameters: Any) -> Callable[[], Any]:
    return lambda: PlaymentExportBatchesOperator(**{"task_id": "t", "destination": "/tmp/x", **parameters})


def results(**parameters: Any) -> Callable[[], Any]:
    return lambda: LlamaCloudExportBatchResultsOperator(task_id="t", destination="/tmp/x", batch_id="b", **parameters)


def run(**parameters: Any) -> Callable[[], Any]:
    return lambda: LlamaCloudRunBatchOperator(
        **{"task_id": "t", "job_type": "parse_v2", "configuration_id": "c", "files": ["/tmp/a"], **parameters}
    )


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "format": (export(file_format="json"), "file_format='json' .* one of 'jsonl', 'csv', 'parquet'"),
    "compression": (export(compression="gz"), "compression='gz' .* one of 'default', 'gzip', 'zstd'"),
    "compression of another format": (
        export(file_format="parquet", compression="gzip"),
        "compression='gzip' is not allowed for parquet",
    ),
    "if_exists": (export(if_exists="overwrite"), "if_exists='overwrite' .* 'replace', 'error'"),
    "refresh of a listing": (export(if_exists="refresh"), "if_exists='refresh' is for exports of one batch"),
    "None": (export(if_empty=None), "if_empty is missing; allowed is one of 'publish'"),
    "add_params": (export(add_params=["project"]), "add_params='project' .* one of 'project_id'"),
    "expect": (export(expect={"rows": 1}), "expect='rows' is not allowed"),
    "a rule": (export(expect={"rows_at_least": "many"}), "'rows_at_least'.*='many' is not allowed"),
    "files": (results(files=["markdown", "pdfs"]), "files='pdfs' .* 'markdown', "),
    "files beside a template": (results(files=["{{ params.kind }}", "pdfs"]), "files='pdfs'"),
    "files as a text": (results(files="markdown, pdfs"), "files='pdfs'"),
    "shard": (results(shard="5/3"), "shard='5/3' .* a text such as '3/16'"),
    "page size": (
        lambda: LlamaCloudExportBatchProcessingJobsOperator(task_id="t", destination="/tmp/x", limit=1001),
        "limit=1001 .* from 1 to 1000",
    ),
    "job type": (run(job_type="parse"), "job_type='parse' .* 'parse_v2', 'extract_v2'"),
    "poll interval": (run(poll_interval=0), "poll_interval=0 .* a positive number of seconds"),
    "poll interval that is no template": (run(poll_interval="{{ 60 }}"), "poll_interval='{{ 60 }}' is not allowed"),
    "on_existing": (run(on_existing="ignore"), "on_existing='ignore' .* 'adopt', 'fail', 'new'"),
    "an id": (
        lambda: PlaymentExportBatchJobsOperator(task_id="t", destination="/tmp/x", batch_id=""),
        "batch_id='' is not allowed",
    ),
    "stalled_after": (
        lambda: TalkifAIBatchJobSensor(task_id="t", batch_job_id="j", stalled_after=timedelta(0)),
        "stalled_after=.* is not allowed",
    ),
    "outcomes": (
        lambda: TalkifAIFinishedBatchJobsOperator(
            task_id="t", exports="/tmp/x", finished_outcomes=["succeeded", "lost"]
        ),
        "finished_outcomes='lost' .* 'succeeded', 'failed', 'cancelled'",
    ),
    "no outcomes": (
        lambda: TalkifAIFinishedBatchJobsOperator(task_id="t", exports="/tmp/x", finished_outcomes=()),
        "finished_outcomes=.* is not allowed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_message_names_what_is_allowed(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(InvalidParameterError, match=message):
        make()


@pytest.mark.parametrize("place", ["exports/today", "", "s3://", "file://host/x", "s3://key:secret@raw/x"])
@pytest.mark.parametrize(
    ("made", "name"), [(VerifyExportOperator, "destination"), (TalkifAIFinishedBatchJobsOperator, "exports")]
)
def test_a_destination_that_is_none_fails_too(made: Any, name: str, place: str) -> None:
    with pytest.raises(DestinationError, match=name):
        made(task_id="t", **{name: place})


NEEDS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "parquet": (export(file_format="parquet"), "pyarrow", "parquet"),
    "zstd": (export(compression="zstd"), "zstandard", "zstd"),
    "S3": (export(destination="s3://aws_default@raw/{{ ds }}"), "s3fs", "amazon"),
    "Google Cloud Storage": (export(destination="gs://raw/x"), "gcsfs", "google"),
    "Azure": (export(destination="abfs://raw@account/x"), "adlfs", "azure"),
    "what is verified": (lambda: VerifyExportOperator(task_id="t", destination="s3://raw/x"), "s3fs", "amazon"),
    "files": (run(files=["/tmp/a", "s3://raw/b"]), "s3fs", "amazon"),
    "contacts": (
        lambda: TalkifAIRunBatchJobOperator(task_id="t", name="n", from_phone_number_id="f", contacts="s3://raw/c.csv"),
        "s3fs",
        "amazon",
    ),
    "a mapped export": (
        lambda: PlaymentExportBatchesOperator.partial(task_id="t", destination="s3://raw/x").expand(project_id=["p"]),
        "s3fs",
        "amazon",
    ),
    "exports that are mapped over destinations": (
        lambda: PlaymentExportBatchesOperator.partial(task_id="t").expand(destination=["/tmp/x", "s3://raw/x"]),
        "s3fs",
        "amazon",
    ),
}


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "is_installed", lambda name: False)


@pytest.mark.usefixtures("none_installed")
@pytest.mark.parametrize("case", NEEDS)
def test_a_missing_library_is_named_with_the_extra_that_installs_it(case: str) -> None:
    make, library, extra = NEEDS[case]
    with pytest.raises(
        InvalidParameterError,
        match=rf" needs {library}; install it with: pip install 'airflow-batch-provider\[{extra}\]'",
    ):
        make()


@pytest.mark.usefixtures("none_installed")
def test_a_library_that_only_workers_have_is_asked_for_by_a_template() -> None:
    export(file_format="{{ 'parquet' }}", destination="{{ 's3' }}://raw/x")()


@pytest.mark.parametrize("case", NEEDS)
def test_a_library_that_is_installed_is_not_asked_for(case: str) -> None:
    NEEDS[case][0]()
