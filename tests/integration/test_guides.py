"""What stands in the guides runs: DAGs by ``dag.test``, other Python as it is, shell commands in a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import connections, no_backoff, sandbox
from tests.integration.approvals import answering

pytestmark = pytest.mark.usefixtures("airflow_database")

ROOT = Path(__file__).parents[2]
VENDORS = ("playment", "llamacloud", "talkifai")
PAGES = ["README.md", "docs/submitting.md", *(f"docs/guides/{vendor}.md" for vendor in VENDORS)]
DAY = datetime(2026, 3, 1, tzinfo=UTC)
EXPORTS = "file:///data/exports"
"""Where the guides export to; the tests put a temporary folder in its place."""
LIMIT = "limit=100"
"""How many batches a run of a guide exports; the tests export three."""
INBOX = "file:///data/inbox"
"""Where what they submit lies, of which the sandbox fails what has ``fail`` in its name, and numbers that end in 7."""
CONTACTS = 4


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, *languages: str) -> list[Block]:
    text = (ROOT / page).read_text()
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        Block(page, text[: match.start()].count("\n") + 1, match[1], match[2])
        for match in found
        if match[1] in languages
    ]


PYTHON = {page: found for page in PAGES if (found := blocks(page, "python"))}
SHELL = [block for vendor in VENDORS for block in blocks(f"docs/guides/{vendor}.md", "sh", "console")]


@pytest.fixture
def finished_vendors() -> Iterator[Sandbox]:
    """The three vendors' APIs, with every batch finished: no wait takes longer than a look."""
    with sandbox(Settings(jobs=40, duration=0, run_seconds=0)) as running, no_backoff():
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """What the guides submit: files, contacts and jobs, some of which fail."""
    folder = tmp_path / "inbox"
    for files in (folder / "invoices", folder / f"{DAY:%Y-%m-%d}"):
        files.mkdir(parents=True)
        for name in ("one.pdf", "two.pdf", "fail.pdf"):
            (files / name).write_text(f"%PDF of {name}")
    numbers = [f"+4930123456{number}" for number in (1, 2, 3, 7)]
    assert len(numbers) == CONTACTS
    (folder / "contacts.csv").write_text("phone,name\n" + "".join(f"{number},Ada\n" for number in numbers))
    for name in ("jobs", "more_jobs"):  # a project takes each reference id once
        references = [f"{name}-1", f"{name}-fail"]
        jobs = [{"reference_id": each, "data": {"image_url": f"https://a.example/{each}"}} for each in references]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    return folder


def asked_for(dag: Any, running: Sandbox) -> dict[str, str]:
    """Return what a person would type who triggers a DAG by hand."""
    results = running.how_to["results"]
    known = {
        "playment_batch_when_complete": running.how_to["playment"]["batch_id"],
        "llamacloud_when_completed": results["llamacloud.batches (parse)"]["batch_id"],
        "llamacloud_extracted_invoices": results["llamacloud.batches (extract)"]["batch_id"],
        "talkifai_when_completed": results["talkifai.batch_jobs"]["batch_job_id"],
    }
    return dict.fromkeys(dag.params, known.get(dag.dag_id, ""))


def run_dag(dag: Any, running: Sandbox) -> None:
    conf = asked_for(dag, running)
    is_scheduled = dag.schedule is not None
    when: dict[str, Any] = {"logical_date": DAY if is_scheduled else None, "run_after": DAY}
    if dag.dag_id == "llamacloud_created":  # its interval is the day before, and the sandbox has batches of today
        when = {
            "logical_date": datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        }
    assert dag.test(run_conf=conf, **when).state == "success"


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: str, finished_vendors: Sandbox, exports: Path, inbox: Path, dags_folder: Path
) -> None:
    namespace: dict[str, Any] = {}
    for block in PYTHON[page]:
        code = block.code.replace(EXPORTS, exports.as_uri()).replace(INBOX, inbox.as_uri()).replace(LIMIT, "limit=3")
        if "with DAG(" in code:
            (dags_folder / f"line_{block.line}.py").write_text(code)
        if "with DAG(" in code and "def test_" not in code:
            dag = the_dag_in(dags_folder / f"line_{block.line}.py")
            with answering("Approve"):
                run_dag(dag, finished_vendors)
            continue
        before = set(namespace)
        exec(compile(code, str(block), "exec"), namespace)  # noqa: S102 - our own pages
        for name in [name for name in namespace if name.startswith("test_") and name not in before]:
            namespace[name]()
    if page.startswith("docs/guides/"):
        manifests = [json.loads(path.read_text()) for path in exports.rglob("_MANIFEST.json")]
        assert sum(manifest["rows"] for manifest in manifests) > 0
        assert len(list(exports.glob("*/new_*/*/_MANIFEST.json"))) == 3


def the_dag_in(source: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(source))
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    return dag


def test_every_dag_of_a_guide_has_retries() -> None:
    dags = [block for page in PYTHON if "guides" in page for block in PYTHON[page] if "with DAG(" in block.code]
    assert len(dags) > 3 * len(VENDORS)
    assert [str(block) for block in dags if 'default_args={"retries": ' not in block.code] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_shell_commands_of_a_guide_make_and_test_a_connection(vendor: str, finished_vendors: Sandbox) -> None:
    name = f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_CONN_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    facts = finished_vendors.how_to[vendor]
    assigned = ran = 0
    for block in (block for block in SHELL if vendor in block.page):
        is_session = block.language == "console"
        commands = re.findall(r"^\$ (.*)", block.code, re.MULTILINE) if is_session else [block.code.strip()]
        promised = [line for line in block.code.splitlines() if is_session and not line.startswith("$ ")]
        for command in commands:
            assignment = re.fullmatch(r"export (\w+)='(.*)'", command, re.DOTALL)
            if assignment:
                is_connection = assignment[1] == name
                assert is_connection or assignment.groups() == ("AIRFLOW_VAR_EXPORTS", EXPORTS)
                filled = filled_in(assignment[2], facts, finished_vendors, name) if is_connection else assignment[2]
                environment[assignment[1]] = filled
                assigned += 1
                continue
            done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert all(line in done.stdout for line in promised), done.stdout
            ran += 1
    assert (assigned, ran) == (2, 1)


def filled_in(template: str, facts: dict[str, Any], running: Sandbox, name: str) -> str:
    """Put key and ids into a connection as a user would, and lead it to the sandbox."""
    placeholders = {"API key": "api_key", "project id": "project_id", "organization id": "organization_id"}
    connection = json.loads(re.sub(r"<([^>]+)>", lambda match: facts[placeholders[match[1]]], template))
    assert connection["conn_type"] == json.loads(connections(running)[name])["conn_type"]
    return json.dumps({**connection, "host": running.url})
