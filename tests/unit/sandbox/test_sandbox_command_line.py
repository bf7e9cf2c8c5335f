"""``python -m airflow_batch_provider.sandbox``: one line when it listens, clear errors, a clean end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

COMMAND = [sys.executable, "-m", "airflow_batch_provider.sandbox"]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, *arguments], **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_ends_at_a_signal(number: signal.Signals) -> None:
    with running("--port", "0", "--jobs", "100000", "--seed", "3") as (process, line):
        assert re.fullmatch(r"sandbox listening on http://127\.0\.0\.1:[1-9]\d*\n", line)
        url = line.split()[-1]
        with requests.Session() as session:  # its connection is kept open while the server ends
            session.trust_env = False
            how_to = session.get(url).json()
            key = {"Authorization": f"Bearer {how_to['llamacloud']['api_key']}"}
            page = session.get(f"{url}/api/v1/beta/batch-processing?offset=99999", headers=key).json()
            assert len(page["items"]) == 1
            assert session.get(how_to["files_url"]).status_code == 403
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--jobs", "-1"], "jobs must be from 0 to 1000000, not -1"),
        (["--jobs", "many"], "argument --jobs: invalid int value: 'many'"),
        (["--failure-rate", "1.5"], "failure rate must be from 0 to 1, not 1.5"),
        (["--latency", "nan"], "latency must be a finite number of seconds"),
        (["--duration", "-2"], "duration must be a finite number of seconds"),
        (["--files-port", "-1"], "files port must be from 0 to 65535, not -1"),
        (["--files", "1001"], "files must be from 0 to 1000, not 1001"),
        (["--late", "nan"], "late must be 0 or more, not nan"),
        (["--file-fault", "all"], "argument --file-fault: invalid choice"),
        (["--port", "70000"], "port must be from 0 to 65535, not 70000"),
        (["--last-page", "none"], "argument --last-page: invalid choice"),
        (["--run-seconds", "-1"], "run seconds must be a finite number of seconds, 0 or more, not -1.0"),
        (["--lose-answers", "2"], "lose answers must be from 0 to 1, not 2.0"),
        (["--refuse-creates", "500"], "argument --refuse-creates: invalid choice"),
    ],
)
def test_wrong_options_are_refused_by_name(arguments: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--port", "--files-port"])
def test_a_port_in_use_is_told_in_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", "0", option, port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"cannot listen on 127.0.0.1 port {port}: ")
    assert "choose another by --port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_documents_every_option() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True)
    options = [
        *("host", "port", "files-port", "jobs", "latency", "seed", "failure-rate", "duration", "last-page"),
        *("files", "late", "large-bytes", "url-seconds", "url-uses", "file-fault", "v1-results"),
        *("run-seconds", "lose-answers", "late-listing", "refuse-creates", "directory-names"),
    ]
    for option in options:
        assert re.search(rf"^  --{option} .*", done.stdout, re.MULTILINE)
    assert done.stdout.count("(default:") == len(options)
