"""``make up`` and ``make down``."""

from __future__ import annotations

from pathlib import Path

import psutil

from dev.local.layout import Layout, components, services
from dev.processes import members
from tests.ui.conftest import local, session_of


def components_of(stack: Layout) -> set[psutil.Process]:
    """Return what the supervisor started: DAG parsers and tasks, which come and go, are children of these."""
    return set(psutil.Process(session_of(stack)).children())


def test_what_is_up_is_left_alone_by_another_up(stack: Layout) -> None:
    before = components_of(stack)
    assert len(before) == len(services(stack)) + len(components(stack))
    output = local("up", stack.folder)
    assert "It runs already." in output
    assert {stack.airflow_url, stack.batches_url} <= set(output.split())
    assert components_of(stack) == before


def listens_on(process: int) -> set[tuple[str, int]]:
    """Return where a process listens; nowhere if it has ended meanwhile, as tasks and DAG parsers do."""
    try:
        connections = psutil.Process(process).net_connections()
    except psutil.NoSuchProcess:
        return set()
    return {connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN}


def test_everything_listens_on_this_machine_only(stack: Layout) -> None:
    listening = {address for process in members(session_of(stack)) for address in listens_on(process)}
    assert {stack.airflow_port, stack.sandbox_port, stack.exports_port} <= {port for _, port in listening}
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    assert local("down", tmp_path / "never") == "Nothing runs.\n"
    assert not (tmp_path / "never").exists()
