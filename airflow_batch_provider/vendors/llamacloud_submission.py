"""LlamaCloud: how batches (v2) and batch processing jobs (v1 beta) are submitted.

A batch has no name: the directory that it is made from is what it can be found by. So each piece of work has a
directory of its own, whose name is the key of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any, Protocol

import msgspec

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.endpoint import Found, Listing, Resource
from airflow_batch_provider.apis.moment import Clock, read_moment
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.plans import NEVER, Plan, Refused, need_some, pause
from airflow_batch_provider.apis.submissions import (
    PAUSES,
    Ambiguous,
    Copy,
    Existing,
    Know,
    Once,
    Preflight,
    Standing,
    Stopped,
    Submission,
    Tell,
    Work,
    cancel_others,
    copy_of,
    create,
    each,
    kept_first,
    oldest_first,
    once,
)
from airflow_batch_provider.vendors import llamacloud, llamacloud_directories
from airflow_batch_provider.vendors.llamacloud_directories import LARGEST_EXTRACTED_FILE, MEGABYTE, MOST_FILES

MOST_AT_ONCE = 8
"""Files that are uploaded at a time at most; the vendor takes ten in a second."""

SLACK = timedelta(minutes=5)
"""By how much the vendor's clock may be behind ours."""

LIFE = timedelta(hours=48)
"""How long a directory is kept if the vendor asks for a time."""

_CLASHES = ("400", "409", "422")
_MOST_SHOWN = 5


_Opener = Callable[[], IO[bytes]]


class SourceFile(Protocol):
    """A file to upload."""

    @property
    def uri(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def bytes(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def open(self) -> _Opener: ...


class _Batches(msgspec.Struct, frozen=True, kw_only=True):
    """What the two APIs differ in.

    :param kind: what is waited for
    :param create: makes one
    :param directory: the parameter that names the directory, in tasks, listing and creation
    :param is_same: whether a batch was made with what the task asks for
    """

    kind: BatchKind
    create: Resource
    directory: str
    is_same: Callable[[Mapping[str, Any], Mapping[str, Any]], bool]

    @property
    def listing(self) -> Listing:
        return self.kind.listing


def _name(work: Work) -> str:
    return f"af-{work.key}"


def _unique_id(position: int, file: SourceFile) -> str:
    return f"{position:04d}-{file.sha256[:16]}"


def _inspect(api: _Batches, work: Work) -> Preflight | Stopped:
    own, files = work.values.get(api.directory), work.items
    if (own is None) == (files is None):
        return Stopped(f"Either files or {api.directory} is needed, and not both.")
    if files is None:
        return Preflight(items=0, facts={"directory": str(own)})
    if work.values.get("job_type") == "extract_v2":
        large = [file.name for file in files if file.bytes > LARGEST_EXTRACTED_FILE]
        if large:
            limit = LARGEST_EXTRACTED_FILE // MEGABYTE
            return Stopped(f"{len(large)} files have more than the {limit} MB that are extracted: {_shown(large)}.")
    return Preflight(items=len(files), facts={"bytes": sum(file.bytes for file in files)})


def _find(api: _Batches, work: Work) -> Plan[Existing]:
    own = work.values.get(api.directory)
    if own is not None:
        return Existing((yield from _find_batches(api, work, str(own))), Copy(id=str(own)))
    directories = oldest_first((yield from _find_directories(work)))
    for directory in directories:
        if batches := (yield from _find_batches(api, work, directory.id)):
            return Existing(batches, directory)
    return Existing(place=directories[0] if directories else None)


def _find_directories(work: Work) -> Plan[Sequence[Copy]]:
    name = _name(work)

    def pick(row: Row) -> Copy | None:
        copy = copy_of(None, row, name=name)
        return None if copy is None or copy.document.get("deleted_at") else copy

    return (yield from need_some(llamacloud_directories.DIRECTORIES, pick, name=name))


def _find_batches(api: _Batches, work: Work, directory_id: str) -> Plan[Sequence[Copy]]:
    """Look up the batches of a directory; of one that is not ours, those of this run that are the same."""
    is_own = work.items is not None

    def pick(row: Row) -> Copy | None:
        copy = copy_of(api.kind, row, **{api.directory: directory_id})
        if copy is None or is_own:
            return copy
        return copy if api.is_same(copy.document, work.values) and _is_of_run(work, copy) else None

    return (yield from need_some(api.listing, pick, **{api.directory: directory_id}))


def _is_of_run(work: Work, batch: Copy) -> bool:
    try:
        return read_moment(batch.created, Clock.ISO) >= (work.began or work.now) - SLACK
    except ValueError:
        return False


def _submit(api: _Batches, work: Work, existing: Existing) -> Plan[Copy | Stopped]:
    is_own = work.items is not None
    if not is_own and len(existing.batches) > 1:
        ids = _shown(batch.id for batch in existing.batches)
        return Stopped(
            f"Directory {work.values[api.directory]} has {len(existing.batches)} batches of this run, {ids}, and it "
            "is not known which one belongs to this task. Cancel those that are not wanted, or submit files instead."
        )
    copies: Sequence[Copy] = existing.batches
    if not copies:
        made = yield from _make(api, work, existing.place)
        if isinstance(made, Stopped):
            return made
        # In a directory of their own, others may make batches too, which are none of this task's business.
        copies = made.copies if is_own or made.made is None else [made.made]
    live = kept_first(copies)
    kept = live[0]
    yield Know(kept.id)
    if kept.document and not api.is_same(kept.document, work.values):
        return Stopped(f"The batch {kept.id} of this piece of work was submitted with another configuration.")
    problem = (yield from cancel_others(api.kind, kept, live)) if is_own else None
    return problem or kept


def _make(api: _Batches, work: Work, place: Copy | None) -> Plan[Once | Stopped]:
    may_be_sent = work.may_be_sent
    if work.items is None:
        assert place
        directory = place
    else:
        found = yield from _fill_directory(work, place)
        if isinstance(found, Stopped):
            return found
        directory, was_full = found
        # Until its directory was full, no batch of it was sent.
        may_be_sent = was_full and work.was_sent is not False
    made = yield from once(
        lambda: _find_batches(api, work, directory.id),
        lambda: _create_batch(api, directory.id),
        what=f"batch of directory {directory.id}",
        was_sent=may_be_sent,
    )
    return made


def _create_batch(api: _Batches, directory_id: str) -> Plan[Copy | Refused | Ambiguous]:
    answer = yield from create(api.create, {api.directory: directory_id}, is_paid=True)
    if not isinstance(answer, Found):
        return answer
    batch = answer.document
    state = api.kind.state(batch)
    yield Know(state.id)
    return Copy(id=state.id, created=str(batch.get("created_at") or ""), document=batch, state=state)


def _fill_directory(work: Work, place: Copy | None) -> Plan[tuple[Copy, bool] | Stopped]:
    """Make the directory and upload what it lacks; return it, and whether it was full before."""
    is_new = False
    if place is None:
        made = yield from once(
            lambda: _find_directories(work),
            lambda: _create_directory(work),
            what=f"directory named {_name(work)!r}",
            was_sent=False,  # a second one is noticed, and an empty one costs nothing
        )
        if isinstance(made, Stopped):
            return Stopped(f"{made.reason} One that was deleted may have the name.", made.cause)
        # One of several may be another try's, which uploads to it.
        place, is_new = made.copies[0], made.is_new and len(made.copies) == 1
    expected = {_unique_id(position, file): file for position, file in enumerate(work.items, 1)}
    there = {} if is_new else (yield from _files(place))
    if foreign := there.keys() - expected.keys():
        return Stopped(
            f"Directory {place.id} of this piece of work has {len(foreign)} files that are not in files, such as "
            f"{_shown(entries[0].document.get('display_name') for name, entries in there.items() if name in foreign)}: "
            "an earlier try uploaded other files."
        )
    missing, uploaded = [name for name in expected if name not in there], set[str]()
    yield Standing(
        f"Directory {place.id} was created for the files, which cost nothing yet; another try of this task continues "
        "with it."
    )
    if missing:
        yield Tell(f"LlamaCloud: uploading {len(missing)} of {len(expected)} files to directory {place.id}")
        uploads = [partial(_upload, work, place, name, expected[name]) for name in missing]
        sent = yield from each(uploads, most=MOST_AT_ONCE)
        if problems := [one for one in sent if isinstance(one, Stopped)]:
            return problems[0]
        uploaded = {one.id for one in sent if isinstance(one, Copy)}
    problem = yield from _check_files(place, expected, uploaded)
    return problem or (place, not missing)


def _create_directory(work: Work) -> Plan[Copy | Refused | Ambiguous]:
    values = {"name": _name(work), "type": "ephemeral", "description": work.text}
    answer = yield from create(llamacloud_directories.CREATE_DIRECTORY, values, clashes=_CLASHES)
    if isinstance(answer, Refused) and "expires_at" in str(answer.cause):
        values = {**values, "expires_at": (work.now + LIFE).isoformat()}
        answer = yield from create(llamacloud_directories.CREATE_DIRECTORY, values, clashes=_CLASHES)
    if not isinstance(answer, Found):
        return answer
    directory = answer.document
    return Copy(id=str(directory["id"]), created=str(directory.get("created_at") or ""), document=directory)


def _files(directory: Copy, **values: Any) -> Plan[dict[str, list[Copy]]]:
    """Return the files of a directory by their unique ids."""
    found: dict[str, list[Copy]] = {}
    pick = partial(copy_of, None)
    files = yield from need_some(llamacloud.DIRECTORY_FILES, pick, directory_id=directory.id, **values)
    for file in oldest_first(files):
        found.setdefault(str(file.document.get("unique_id")), []).append(file)
    return found


def _upload(work: Work, directory: Copy, unique_id: str, file: SourceFile) -> Plan[Copy | Stopped | None]:
    """Upload a file; return it if the vendor says that it came, and None if the listing does."""

    def find() -> Plan[Sequence[Copy]]:
        found = yield from _files(directory, unique_id=unique_id)
        return found.get(unique_id, [])

    def send() -> Plan[Copy | Refused | Ambiguous]:
        parts = llamacloud_directories.upload_parts(
            PurePosixPath(file.name).name,
            file.open,
            file.bytes,
            unique_id=unique_id,
            display_name=file.name,
            metadata={"submit_key": work.key, "sha256": file.sha256, "source": file.uri},
        )
        answer = yield from create(
            llamacloud_directories.UPLOAD_FILE,
            {"directory_id": directory.id},
            parts=parts,
            clashes=("409",),
        )
        return Copy(id=str(answer.document["id"])) if isinstance(answer, Found) else answer

    sent = yield from send()
    if isinstance(sent, Copy):
        return sent
    # Whether it came is seen in the listing, and what did not come is sent again.
    made = yield from once(find, send, what=f"file {unique_id}", was_sent=True)
    return made if isinstance(made, Stopped) else None


def _check_files(directory: Copy, expected: Mapping[str, SourceFile], uploaded: Set[str]) -> Plan[Stopped | None]:
    """Check that a directory has each file once; a second copy, of a worker that was thought dead, is deleted.

    What was uploaded now must be listed: then what another worker uploaded before is listed too.
    """
    there = yield from _files(directory)
    for seconds in PAUSES:
        listed = {copy.id for copies in there.values() for copy in copies}
        if there.keys() >= expected.keys() and listed >= uploaded:
            break
        yield from pause(seconds, NEVER)
        there = yield from _files(directory)
    for _, *others in there.values():
        for other in others:
            yield from create(
                llamacloud_directories.DELETE_FILE,
                {"directory_id": directory.id, "directory_file_id": other.id},
                clashes=("404",),
            )
    if there.keys() == expected.keys():
        return None
    missing, foreign = expected.keys() - there.keys(), there.keys() - expected.keys()
    return Stopped(
        f"Directory {directory.id} lacks {len(missing)} of {len(expected)} files, and has {len(foreign)} that are not "
        "in files, so no batch was made of it.",
        may_pass=not foreign,
    )


def _shown(names: Any) -> str:
    return ", ".join(map(repr, sorted(map(str, names))[:_MOST_SHOWN]))


def _is_same_batch(batch: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    config = batch.get("config")
    job = config.get("job") if isinstance(config, dict) else None
    if not isinstance(job, dict):
        return True  # it does not say
    wanted = {"type": values.get("job_type"), "configuration_id": values.get("configuration_id")}
    return all(job.get(name) in (None, value) for name, value in wanted.items())


def _is_same_job(job: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    config = values.get("job_config")
    parameters = config.get("parameters") if isinstance(config, Mapping) else None
    wanted = parameters.get("type") if isinstance(parameters, Mapping) else None
    return wanted is None or job.get("job_type") in (None, wanted)


_BATCHES = _Batches(
    kind=llamacloud.BATCH_KIND,
    create=llamacloud.CREATE_BATCH,
    directory="source_directory_id",
    is_same=_is_same_batch,
)

_PROCESSING_JOBS = _Batches(
    kind=llamacloud.BATCH_PROCESSING_JOB_KIND,
    create=llamacloud.CREATE_BATCH_PROCESSING_JOB,
    directory="directory_id",
    is_same=_is_same_job,
)


def _submission(api: _Batches) -> Submission:
    def optional(parameter: Parameter) -> Parameter:
        return msgspec.structs.replace(parameter, required=False) if parameter.name == api.directory else parameter

    return Submission(
        vendor=llamacloud.VENDOR,
        name=api.kind.name,
        kind=api.kind,
        parameters=tuple(map(optional, api.create.parameters)),
        inspect=partial(_inspect, api),
        find=partial(_find, api),
        submit=partial(_submit, api),
        most_items=MOST_FILES,
        what="files",
    )


BATCH = _submission(_BATCHES)
BATCH_PROCESSING_JOB = _submission(_PROCESSING_JOBS)
