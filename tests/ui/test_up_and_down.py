"""``make up`` and ``make down``."""

from __future__ import annotations

from pathlib import Path

import psutil

from dev.local.layout import Layout
from dev.processes import members
from tests.ui.conftest import local, session_of


def test_what_is_up_is_left_alone_by_another_up(stack: Layout) -> None:
    before = set(members(session_of(stack)))
    output = local("up", stack.folder)
    assert "It runs already." in output
    assert stack.airflow_url in output
    assert before <= set(members(session_of(stack)))


def test_everything_listens_on_this_machine_only(stack: Layout) -> None:
    listening = {
        connection.laddr
        for process in members(session_of(stack))
        for connection in psutil.Process(process).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert {stack.airflow_port, stack.sandbox_port, stack.exports_port} <= {port for _, port in listening}
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    assert local("down", tmp_path / "never") == "Nothing runs.\n"
    assert not (tmp_path / "never").exists()
