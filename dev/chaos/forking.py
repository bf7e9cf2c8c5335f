"""A process that forks tasks: it reads commands, one JSON object a line, and answers each with a line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Run = Callable[[Mapping[str, Any]], dict[str, Any]]


def serve(folder: Path, run: Run) -> None:
    """Run commands until the input ends.

    :param folder: where results and logs go
    :param run: what each fork does with what it was started with; returns the result
    """
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            answer = _fork(command["start"], folder, run)
        else:
            _, answer = os.waitpid(command["wait"], os.WUNTRACED)
        print(answer, flush=True)


def _fork(one: Mapping[str, Any], folder: Path, run: Run) -> int:
    process = os.fork()
    if process:
        return process
    log = os.open(folder / f"{os.getpid()}.log", os.O_CREAT | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    result = run(one)
    (folder / f"{os.getpid()}.json").write_text(json.dumps(result))
    os._exit(0)
