"""Every order of steps of several exports at one destination, over a model of the store.

The real code is run. It is deterministic but for the store's answers, so to take one step, it is run again from its
start with the answers that it has had, up to the first operation without one. That is a pure function of the answers,
and a state is the content of the store and the answers of each process: each state is looked at once, in whichever
order of steps it is reached.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any, cast

from airflow_batch_provider.export.manifest import place_of
from airflow_batch_provider.stores.new_file import NewFile
from airflow_batch_provider.stores.retry import ConflictError
from airflow_batch_provider.stores.store import Store, content_version

MANIFEST = "_MANIFEST.json"
Files = dict[str, bytes]
Operation = tuple[Any, ...]


class Failure(Enum):
    """An answer that is an exception."""

    MISSING = "missing"
    CONFLICT = "conflict"


class Suspended(BaseException):
    """The code has come to an operation whose answer is not known yet."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation)
        self.operation = operation


class ModelStore(Store):
    """Gives the answers that it was given, and stops the code at the next operation.

    :param answers: of the operations so far
    :param is_conditional: whether a put on condition is one step
    """

    is_conditional = False

    def __init__(self, answers: Sequence[Any], *, is_conditional: bool) -> None:
        super().__init__(cast(Any, SimpleNamespace(_strip_protocol=str)), "/model", "model://model")
        self._answers = iter(answers)
        self._stopped_at: Operation = ()
        self._has_conditions = is_conditional
        self.is_conditional = is_conditional  # type: ignore[misc]

    def _ask(self, *operation: Any) -> Any:
        answer = next(self._answers, self)
        if answer is self:  # nor does what the code does to clean up have an answer
            self._stopped_at = self._stopped_at or operation
            raise Suspended(self._stopped_at)
        if answer is Failure.MISSING:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(operation[1]))
        if answer is Failure.CONFLICT:
            raise ConflictError("another version")
        return answer

    def create(self, name: str) -> NewFile:
        return cast(NewFile, _File(lambda content: self._ask("put", name, content)))

    def open(self, name: str) -> io.BufferedReader:
        return cast(io.BufferedReader, io.BytesIO(self._ask("read", name)))

    def _read(self, name: str) -> bytes:
        return bytes(self._ask("read", name))

    def _put(self, name: str, content: bytes) -> None:
        self._ask("put", name, content)

    def _publish(self, staged: str, name: str) -> None:
        self._ask("copy", staged, name)

    def _size(self, name: str) -> int:
        return int(self._ask("size", name))

    def _version(self, name: str) -> str:
        return str(self._ask("version", name))

    def _put_if(self, name: str, content: bytes, version: str | None) -> None:
        if self._has_conditions:
            self._ask("put_if", name, content, version)
        else:
            super()._put_if(name, content, version)

    def _found_below(self, folder: str) -> dict[str, tuple[float, int]]:
        return {name: (0.0, size) for name, size in self._ask("names", folder)}

    def _remove(self, name: str) -> None:
        self._ask("remove", name)


class _File:
    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put, self._content = put, bytearray()

    def write(self, data: bytes) -> None:
        self._content += data

    def close(self) -> None:
        self._put(bytes(self._content))

    def abandon(self) -> None: ...


def take_effect(files: Files, operation: Operation) -> tuple[Files, Any]:
    """Return the files after an operation, and its answer."""
    kind, name, *rest = operation
    if kind == "names":
        prefix = f"{name}/" if name else ""
        return files, tuple(sorted((file, len(files[file])) for file in files if file.startswith(prefix)))
    if kind == "put" or (kind == "put_if" and rest[1] == (content_version(files[name]) if name in files else None)):
        return {**files, name: rest[0]}, None
    if kind == "put_if":
        return files, Failure.CONFLICT
    if name not in files:
        return files, Failure.MISSING
    if kind == "copy":
        return {**files, rest[0]: files[name]}, None
    if kind == "remove":
        return {file: content for file, content in files.items() if file != name}, None
    return files, {"read": lambda content: content, "size": len, "version": content_version}[kind](files[name])


@dataclass(frozen=True)
class End:
    """How a process ended.

    :param result: what it returned
    :param error: what it raised
    """

    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class State:
    """A state in which all processes have ended.

    :param files: what is at the destination
    :param ends: how each process ended
    """

    files: Files
    ends: tuple[End, ...]


class _Process:
    """One process: what it does next, by the answers that it has had."""

    def __init__(self, run: Callable[[Store], Any], *, is_conditional: bool) -> None:
        self._run = run
        self._is_conditional = is_conditional
        self._answers: list[tuple[Any, ...]] = [()]
        self._numbers: dict[tuple[int, Any], int] = {}
        self._next: dict[int, Operation | End] = {}

    def next(self, number: int) -> Operation | End:
        if number not in self._next:
            store = ModelStore(self._answers[number], is_conditional=self._is_conditional)
            try:
                self._next[number] = End(self._run(store))
            except Suspended as stop:
                self._next[number] = stop.operation
            except Exception as error:  # noqa: BLE001 - the test looks at it
                self._next[number] = End(error=error)
        return self._next[number]

    def steps(self, number: int) -> int:
        return len(self._answers[number])

    def after(self, number: int, answer: Any) -> int:
        key = (number, answer)
        if key not in self._numbers:
            self._numbers[key] = len(self._answers)
            self._answers.append((*self._answers[number], answer))
        return self._numbers[key]


def step_by_step(run: Callable[[Store], Any], files: Files, is_conditional: bool) -> Iterator[tuple[Files, Operation]]:
    """Run one process alone; yield the files before each of its steps, and the step."""
    process, number = _Process(run, is_conditional=is_conditional), 0
    while not isinstance(operation := process.next(number), End):
        yield files, operation
        files, answer = take_effect(files, operation)
        number = process.after(number, answer)


@dataclass
class Explorer:
    """Takes every order of steps.

    :param runs: what each process runs
    :param export_ids: the piece of work that each does; None for who only reads
    :param is_conditional: whether the store has conditional puts
    :param files: what is at the destination at first
    :param most_switches: how often at most a process is interrupted by another; None for every order
    :param head_start: how many steps the first process takes before the others begin
    """

    runs: Sequence[Callable[[Store], Any]]
    export_ids: Sequence[str | None]
    is_conditional: bool
    files: Files = field(default_factory=dict)
    most_switches: int | None = None
    head_start: int = 0
    states: int = 0

    def _concerns(self, which: int, name: str) -> bool:
        """Return whether a process takes notice of a file: not of what is staged for others, while that is young."""
        return not name.startswith("_staging/") or name.split("/")[1] == self.export_ids[which]

    def ends(self) -> Iterator[State]:
        """Yield each state in which all have ended, and check each state on the way."""
        processes = [_Process(run, is_conditional=self.is_conditional) for run in self.runs]
        stack: list[tuple[Files, tuple[int, ...], int, int]] = [(self.files, (0,) * len(processes), -1, 0)]
        seen = set()
        while stack:
            files, numbers, last, switches = stack.pop()
            nexts = [process.next(number) for process, number in zip(processes, numbers, strict=True)]
            if all(isinstance(next_, End) for next_ in nexts):
                yield State(files, cast(tuple[End, ...], tuple(nexts)))
            choices = self._choices(nexts)
            if processes[0].steps(numbers[0]) < self.head_start:
                choices = choices[:1]
            for which, operation in choices:
                is_switch = which != last and last >= 0 and not isinstance(nexts[last], End)
                if self.most_switches is not None and switches + is_switch > self.most_switches:
                    continue
                after, answer = take_effect(files, operation)
                if after is not files:
                    check_whole(after)
                if operation[0] == "names" and not str(operation[1]).startswith("files/"):
                    answer = self._noticed(which, answer, files)
                moved = (*numbers[:which], processes[which].after(numbers[which], answer), *numbers[which + 1 :])
                bound = (which, switches + is_switch) if self.most_switches is not None else (-1, 0)
                key = (frozenset(after.items()), moved, *bound)
                if key not in seen:
                    seen.add(key)
                    self.states += 1
                    stack.append((after, moved, *bound))

    def _choices(self, nexts: Sequence[Operation | End]) -> list[tuple[int, Operation]]:
        """Return the steps that may be next: one is enough if its order among the others' makes no difference."""
        steps = [(which, step) for which, step in enumerate(nexts) if not isinstance(step, End)]
        return next(([one] for one in steps if self._is_private(*one) and not self.head_start), steps)

    def _is_private(self, which: int, operation: Operation) -> bool:
        name = str(operation[1])
        mine = self.export_ids[which]
        is_staged = name.startswith(f"_staging/{mine}") and operation[0] != "copy"
        return is_staged and self.export_ids.count(mine) == 1 and None not in self.export_ids

    def _noticed(self, which: int, names: Sequence[tuple[str, int]], files: Files) -> tuple[tuple[str, int], ...]:
        """Return the files of a list that a process takes notice of.

        It passes over what is staged for others, while that is young, and over parts that neither the manifest that it
        replaces names nor the tries before it have put there.
        """
        mine = self.export_ids[which]
        if mine is None:
            return tuple(names)
        manifest = json.loads(files[MANIFEST]) if MANIFEST in files else {}
        named = {part["path"] for part in manifest.get("parts", ())} | set(manifest.get("replaces", ()))
        named |= {manifest.get("files", {}).get("path"), *self._own_folders(which)}
        is_first = not any(name.startswith(f"_staging/{mine}") for name in self.files)
        alone = self.is_conditional and self.export_ids.count(mine) == 1 and is_first
        return tuple(
            (name, size)
            for name, size in names
            if (name.split("/")[1] == mine if name.startswith("_staging/") else not alone or place_of(name) in named)
        )

    def _own_folders(self, which: int) -> set[str]:
        """Return the folder that a process puts files into; its number is at the front of its tokens."""
        return {f"files/{which + 1:02x}{1:010x}"}


def check_whole(files: Mapping[str, bytes]) -> None:
    """Check that the manifest that is there names only parts that are there, with the content that it says."""
    if MANIFEST not in files:
        return
    for part in json.loads(files[MANIFEST])["parts"]:
        assert part["path"] in files, f"{part['path']} is named and is not there"
        assert hashlib.sha256(files[part["path"]]).hexdigest() == part["sha256"], f"{part['path']} has another content"
        for line in files[part["path"]].splitlines():
            for file in json.loads(line).get("files", ()):
                assert file["path"] in files, f"{file['path']} is named and is not there"
                assert hashlib.sha256(files[file["path"]]).hexdigest() == file["sha256"]
