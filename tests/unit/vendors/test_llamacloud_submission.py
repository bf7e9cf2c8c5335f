"""How LlamaCloud's batches are submitted: a directory named after the work, its files once each, one batch of it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from airflow_batch_provider.apis.batch_state import Outcome
from airflow_batch_provider.apis.plans import Refused
from airflow_batch_provider.apis.submissions import PAUSES, Copy, Existing, Preflight, Stopped, Submission
from airflow_batch_provider.exceptions import RequestRefusedError
from airflow_batch_provider.vendors.llamacloud_submission import BATCH, BATCH_PROCESSING_JOB, LIFE, SLACK
from tests.unit.submissions import CLASH, DESCRIPTION, KEY, LOST, NOW, Ran, run, work

DIRS, MAKE_DIR = "llamacloud.directories", "llamacloud.create_directory"
FILES, UPLOAD, DELETE = "llamacloud.directory_files", "llamacloud.upload_file", "llamacloud.delete_directory_file"
NAME = f"af-{KEY}"


@dataclass(frozen=True)
class Api:
    """One of the two APIs: what it is asked for, and what it answers."""

    submission: Submission
    listing: str
    create: str
    read: str
    cancel: str
    directory: str
    values: dict[str, Any]
    own: dict[str, Any]
    """What its batches say of what they do."""
    others: dict[str, Any]
    running: str
    cancelled: str

    def batch(self, identifier: str = "b1", **fields: Any) -> dict[str, Any]:
        """A batch of the directory d1."""
        created = f"2026-03-01T12:00:0{identifier[-1]}Z"
        return {
            "id": identifier,
            "status": self.running,
            self.directory: "d1",
            "created_at": created,
            **self.own,
            **fields,
        }

    def copy(self, document: dict[str, Any]) -> Copy:
        """The same as the listing finds it."""
        state = self.submission.kind.state(document)
        return Copy(id=document["id"], created=document["created_at"], document=document, state=state)

    def submit(self, *script: tuple[str, Any], existing: Existing | None = None, **fields: Any) -> Ran:
        """Submit the two files."""
        return run(self.submission.submit(self.work(**fields), existing or Existing()), script)

    def work(self, values: dict[str, Any] | None = None, **fields: Any) -> Any:
        """The piece of work: two files."""
        return work({**self.values, **(values or {})}, **{"items": ITEMS, **fields})


APIS = {
    "v2": Api(
        submission=BATCH,
        listing="llamacloud.batches",
        create="llamacloud.create_batch",
        read="llamacloud.batch",
        cancel="llamacloud.cancel_batch",
        directory="source_directory_id",
        values={"job_type": "parse_v2", "configuration_id": "cfg-1"},
        own={"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}}},
        others={"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-2"}}},
        running="RUNNING",
        cancelled="CANCELLED",
    ),
    "v1": Api(
        submission=BATCH_PROCESSING_JOB,
        listing="llamacloud.batch_processing_jobs",
        create="llamacloud.create_batch_processing_job",
        read="llamacloud.batch_processing_job",
        cancel="llamacloud.cancel_batch_processing_job",
        directory="directory_id",
        values={"job_config": {"job_name": "parse_raw_file_job", "parameters": {"type": "parse"}}},
        own={"job_type": "parse"},
        others={"job_type": "extract"},
        running="running",
        cancelled="cancelled",
    ),
}


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> Api:
    return APIS[request.param]


@dataclass(frozen=True)
class SourceFile:
    """A file to submit."""

    name: str
    sha256: str
    bytes: int = 3

    @property
    def uri(self) -> str:
        return f"s3://x/{self.name}"

    def open(self) -> io.BytesIO:
        return io.BytesIO(b"abc")


ITEMS = [SourceFile("2026/a.pdf", "a" * 64), SourceFile("b.pdf", "b" * 64)]
IDS = [f"0001-{'a' * 16}", f"0002-{'b' * 16}"]


def entry(number: int, identifier: str | None = None, created: int = 1) -> dict[str, Any]:
    """A file in the directory."""
    unique_id = IDS[number - 1] if number <= len(IDS) else f"x{number}"
    return {
        "id": identifier or f"dfl-{number}",
        "unique_id": unique_id,
        "display_name": f"name {number}",
        "created_at": f"2026-03-01T12:00:0{created}Z",
    }


DIRECTORY = {"id": "d1", "name": NAME, "created_at": "2026-03-01T11:00:00Z"}
PLACE = Copy(id="d1", created=DIRECTORY["created_at"], document=DIRECTORY)
HERE = Existing(place=PLACE)
FULL = [entry(1), entry(2)]
UPLOADED = (UPLOAD, {"id": "dfl-1"})
NEW_DIRECTORY = [(DIRS, []), (MAKE_DIR, DIRECTORY), (DIRS, [DIRECTORY])]


def reason(ran: Ran) -> str:
    assert isinstance(ran.end, Stopped)
    return ran.end.reason


# What is sent.


def test_a_directory_is_made_filled_and_checked_and_a_batch_is_made_of_it(api: Api) -> None:
    batch = api.batch()
    made = [(api.listing, []), (api.create, batch), (api.listing, [batch])]
    ran = api.submit(*NEW_DIRECTORY, UPLOADED, UPLOADED, (FILES, FULL), *made)
    assert (ran.end.id, ran.known) == ("b1", ["b1", "b1"])
    assert ran.names == [MAKE_DIR, UPLOAD, UPLOAD, api.create]
    assert ran.sent[0].values == {"name": NAME, "type": "ephemeral", "description": DESCRIPTION}
    assert ran.sent[-1].values == {api.directory: "d1"}
    assert [step.is_paid for step in ran.sent] == [False, False, False, True]
    assert ran.standing == (
        "Directory d1 was created for the files, which cost nothing yet; another try of this task continues with it."
    )


def test_an_upload_has_the_file_and_what_it_is_known_by(api: Api) -> None:
    ran = api.submit((FILES, [entry(2)]), UPLOADED, (FILES, FULL), *finding(api), existing=HERE)
    (upload,) = ran.sent
    parts = {part.name: part for part in upload.parts}
    assert (parts["unique_id"].content, parts["display_name"].content) == (IDS[0].encode(), b"2026/a.pdf")
    assert json.loads(parts["metadata"].content or b"") == {
        "submit_key": KEY,
        "sha256": "a" * 64,
        "source": "s3://x/2026/a.pdf",
    }
    file = parts["upload_file"]
    assert (file.filename, file.size) == ("a.pdf", 3)
    assert file.open is not None
    assert file.open().read() == b"abc"


def finding(api: Api) -> list[tuple[str, Any]]:
    """What is asked once the directory is full: the batch is there."""
    return [(api.listing, [api.batch()])]


# Finding, adopting.


@pytest.mark.parametrize(
    "other",
    [{"name": f"{NAME}.2"}, {"name": f"x-{NAME}"}, {"name": None}, {"deleted_at": "2026-03-01T00:00:00Z"}],
)
def test_a_directory_is_found_by_exactly_its_name_unless_it_was_deleted(other: dict[str, Any], api: Api) -> None:
    ran = run(api.submission.find(api.work()), [(DIRS, [{**DIRECTORY, **other}])])
    assert ran.end == Existing()
    assert ran.asked[0] == {"name": NAME}


def test_the_oldest_directory_is_the_place_if_none_has_a_batch(api: Api) -> None:
    younger = {"id": "d0", "name": NAME, "created_at": "2026-03-01T11:30:00Z"}
    ran = run(api.submission.find(api.work()), [(DIRS, [younger, DIRECTORY]), (api.listing, []), (api.listing, [])])
    assert ran.end == HERE
    assert [values.get(api.directory) for values in ran.asked] == [None, "d1", "d0"]


def test_the_directory_that_has_a_batch_is_the_place(api: Api) -> None:
    older = {"id": "d0", "name": NAME, "created_at": "2026-03-01T10:00:00Z"}
    ours, foreign = api.batch(), api.batch("b2", **{api.directory: "d9"})
    ran = run(
        api.submission.find(api.work()),
        [(DIRS, [DIRECTORY, older]), (api.listing, []), (api.listing, [foreign, ours])],
    )
    assert ran.end == Existing([api.copy(ours)], PLACE)


def test_a_batch_that_is_there_is_adopted_without_a_request(api: Api) -> None:
    ran = api.submit(existing=Existing([api.copy(api.batch())], PLACE))
    assert (ran.end.id, ran.known) == ("b1", ["b1"])


def test_a_batch_of_another_configuration_is_not_adopted(api: Api) -> None:
    other = api.copy(api.batch(**api.others))
    ran = api.submit(existing=Existing([other], PLACE))
    assert reason(ran) == "The batch b1 of this piece of work was submitted with another configuration."


@pytest.mark.parametrize("silent", [{"config": None, "job_type": None}, {"config": {"job": {}}, "job_type": None}])
def test_a_batch_that_does_not_say_what_it_does_is_adopted(silent: dict[str, Any], api: Api) -> None:
    assert api.submit(existing=Existing([api.copy(api.batch(**silent))], PLACE)).end.id == "b1"


@pytest.mark.parametrize("config", [{}, {"parameters": None}, {"parameters": {}}])
def test_a_job_whose_type_is_not_asked_for_is_adopted(config: dict[str, Any]) -> None:
    api = APIS["v1"]
    existing = Existing([api.copy(api.batch())], PLACE)
    assert api.submit(existing=existing, values={"job_config": config}).end.id == "b1"


def test_the_younger_of_two_batches_is_cancelled(api: Api) -> None:
    younger, older = api.batch("b2"), api.batch("b1")
    read = {**younger, "status": api.cancelled}
    ran = api.submit(
        (api.cancel, {"id": "b2", "job_id": "b2"}),
        (api.read, {"job": read, **read}),
        existing=Existing([api.copy(younger), api.copy(older)], PLACE),
    )
    assert ran.end.id == "b1"
    assert ran.names == [api.cancel]
    assert "b2" in ran.sent[0].values.values()


def test_a_younger_batch_that_cannot_be_cancelled_fails_the_task(api: Api) -> None:
    ran = api.submit(
        (api.cancel, CLASH),
        (api.read, {"job": api.batch("b2"), **api.batch("b2")}),
        existing=Existing([api.copy(api.batch("b2")), api.copy(api.batch("b1"))], PLACE),
    )
    assert reason(ran) == "b2 is a second copy of b1, and could not be cancelled. It has not ended either."


# The directory.


def test_a_directory_that_exists_after_all_is_taken_and_looked_into(api: Api) -> None:
    ran = api.submit((DIRS, []), (MAKE_DIR, CLASH), (DIRS, [DIRECTORY]), (FILES, FULL), (FILES, FULL), *finding(api))
    assert (ran.end.id, ran.names) == ("b1", [MAKE_DIR])
    assert ran.sent[0].clashes == ("400", "409", "422")


def test_a_lost_answer_to_the_directory_is_looked_for(api: Api) -> None:
    ran = api.submit(
        *[(DIRS, []), (MAKE_DIR, LOST), (DIRS, []), (DIRS, [DIRECTORY])],
        *[UPLOADED, UPLOADED, (FILES, FULL), *finding(api)],
    )
    assert ran.names == [MAKE_DIR, UPLOAD, UPLOAD]


def test_a_name_that_a_deleted_directory_has_fails_with_a_hint(api: Api) -> None:
    ran = api.submit((DIRS, []), (MAKE_DIR, CLASH), *[(DIRS, [])] * 6)
    assert reason(ran) == f"No directory named '{NAME}' is listed. One that was deleted may have the name."
    assert ran.end.cause is CLASH.cause


def test_an_end_is_told_where_the_vendor_wants_it(api: Api) -> None:
    wants = Refused("422", cause=RequestRefusedError("expires_at: field required", status=422))
    (before, (_, made), after) = NEW_DIRECTORY
    ran = api.submit(
        *[before, (MAKE_DIR, wants), (MAKE_DIR, made), after],
        *[UPLOADED, UPLOADED, (FILES, FULL), *finding(api)],
    )
    first, second, *_ = ran.sent
    assert "expires_at" not in first.values
    assert second.values == {**first.values, "expires_at": (NOW + LIFE).isoformat()}


# The files.


def test_files_that_an_earlier_try_uploaded_are_not_uploaded_again(api: Api) -> None:
    ran = api.submit((FILES, [entry(1)]), UPLOADED, (FILES, FULL), *finding(api), existing=HERE)
    assert ran.told == ["LlamaCloud: uploading 1 of 2 files to directory d1"]
    assert ran.sent[0].parts[0].content == IDS[1].encode()


def test_a_directory_with_other_files_is_left_alone(api: Api) -> None:
    ran = api.submit((FILES, [entry(1), entry(3), entry(4)]), existing=HERE)
    assert ran.names == []
    assert reason(ran) == (
        "Directory d1 of this piece of work has 2 files that are not in files, such as 'name 3', 'name 4': an "
        "earlier try uploaded other files."
    )


@pytest.mark.parametrize("answer", [LOST, CLASH])
def test_an_upload_without_an_answer_is_looked_for(answer: Any, api: Api) -> None:
    ran = api.submit(
        *[(FILES, [entry(2)]), (UPLOAD, answer), (FILES, []), (FILES, [entry(1)]), (FILES, FULL), *finding(api)],
        existing=HERE,
    )
    assert ran.names == [UPLOAD]
    assert ran.asked[2] == {"directory_id": "d1", "unique_id": IDS[0]}


def test_an_upload_that_did_not_come_is_sent_again(api: Api) -> None:
    ran = api.submit(
        *[(FILES, [entry(2)]), (UPLOAD, LOST), *[(FILES, [])] * 6, UPLOADED, (FILES, [entry(1, "dfl-1")])],
        *[(FILES, FULL), *finding(api)],
        existing=HERE,
    )
    assert ran.names == [UPLOAD, UPLOAD]


def test_an_upload_that_does_not_succeed_stops_before_anything_is_paid(api: Api) -> None:
    ran = api.submit(
        *[(FILES, [entry(2)]), (UPLOAD, LOST), *[(FILES, [])] * 6, (UPLOAD, LOST), *[(FILES, [])] * 6],
        existing=HERE,
    )
    assert ran.end.may_pass
    assert f"No file {IDS[0]} was listed" in reason(ran)


def test_files_that_are_listed_late_are_waited_for(api: Api) -> None:
    ran = api.submit((FILES, []), UPLOADED, UPLOADED, (FILES, [entry(1)]), (FILES, FULL), *finding(api), existing=HERE)
    assert ran.end.id == "b1"
    assert ran.paused == [PAUSES[0]]


@pytest.mark.parametrize(
    ("listed", "may_pass", "expected"),
    [
        ([entry(1)], True, "lacks 1 of 2 files, and has 0 that are not in files"),
        ([entry(1), entry(3)], False, "lacks 1 of 2 files, and has 1 that are not in files"),
        ([entry(1), entry(2), entry(3)], False, "lacks 0 of 2 files, and has 1 that are not in files"),
    ],
)
def test_no_batch_is_made_of_a_directory_with_other_files(
    listed: list[dict[str, Any]], may_pass: bool, expected: str, api: Api
) -> None:
    times = 1 if len(listed) == 3 else 6
    ran = api.submit((FILES, []), UPLOADED, UPLOADED, *[(FILES, listed)] * times, existing=HERE)
    assert reason(ran) == f"Directory d1 {expected}, so no batch was made of it."
    assert ran.end.may_pass is may_pass


def test_a_second_copy_of_a_file_is_deleted_before_the_batch_is_made(api: Api) -> None:
    twice = [entry(2), entry(1, "dfl-b", 2), entry(1, "dfl-a", 1)]
    ran = api.submit((FILES, FULL), (FILES, twice), (DELETE, {}), *finding(api), existing=HERE)
    assert ran.names == [DELETE]
    assert ran.sent[0].values == {"directory_id": "d1", "directory_file_id": "dfl-b"}
    assert ran.sent[0].clashes == ("404",)


# The batch, whose answer may be lost.


def test_a_directory_that_was_full_before_is_looked_at_for_longer(api: Api) -> None:
    """An earlier try may have made the batch."""
    ran = api.submit(
        *[(FILES, FULL), (FILES, FULL), (api.listing, []), (api.listing, []), (api.listing, [api.batch()])],
        existing=HERE,
    )
    assert (ran.end.id, ran.names) == ("b1", [])


def test_a_directory_that_was_full_before_anything_was_sent_is_looked_at_once(api: Api) -> None:
    ran = api.submit(
        *[(FILES, FULL), (FILES, FULL), (api.listing, []), (api.create, api.batch()), (api.listing, [api.batch()])],
        existing=HERE,
        was_sent=False,
    )
    assert (ran.end.id, ran.names) == ("b1", [api.create])


def test_a_lost_answer_is_looked_for(api: Api) -> None:
    ran = api.submit(
        *[*NEW_DIRECTORY, UPLOADED, UPLOADED, (FILES, FULL), (api.listing, []), (api.create, LOST)],
        (api.listing, [api.batch()]),
    )
    assert (ran.end.id, ran.known) == ("b1", ["b1"])


def test_a_lost_answer_without_a_trace_is_left_to_the_next_try(api: Api) -> None:
    ran = api.submit(
        *[*NEW_DIRECTORY, UPLOADED, UPLOADED, (FILES, FULL), (api.listing, []), (api.create, LOST)],
        *[(api.listing, [])] * 6,
    )
    assert ran.end.may_pass
    assert ran.names.count(api.create) == 1
    assert reason(ran).startswith("No batch of directory d1 was listed in the 230 s after that; it is not sent again")


def test_a_batch_that_was_just_made_needs_no_listing_to_be_known(api: Api) -> None:
    ran = api.submit(
        *[*NEW_DIRECTORY, UPLOADED, UPLOADED, (FILES, FULL), (api.listing, []), (api.create, api.batch())],
        *[(api.listing, [])] * 6,
    )
    assert (ran.end.id, ran.end.outcome) == ("b1", Outcome.RUNNING)


# A directory of the user's own.

BEGAN = NOW - timedelta(hours=1)
AT = "2026-03-01T10:55:01Z"  # after BEGAN less SLACK


def find_in_own(api: Api, *batches: dict[str, Any], **fields: Any) -> Existing:
    its_work = api.work({api.directory: "d1"}, items=None, **fields)
    existing: Existing = run(api.submission.find(its_work), [(api.listing, list(batches))]).end
    assert existing.place == Copy(id="d1")
    return existing


def test_of_a_users_directory_those_of_this_run_that_are_the_same_are_taken(api: Api) -> None:
    before = api.batch("b1", created_at="2026-03-01T10:54:59Z")
    others = api.batch("b2", **api.others)
    strange = api.batch("b3", created_at="yesterday")
    own = api.batch("b4", created_at=AT)
    elsewhere = api.batch("b5", **{api.directory: "d2"})
    found = find_in_own(api, before, others, strange, own, elsewhere, began=BEGAN)
    assert found.batches == [api.copy(own)]


def test_without_a_run_those_of_this_try_are_taken(api: Api) -> None:
    early, late = (NOW - SLACK - timedelta(seconds=1)).isoformat(), (NOW - SLACK).isoformat()
    found = find_in_own(api, api.batch("b1", created_at=early), api.batch("b2", created_at=late))
    assert [copy.id for copy in found.batches] == ["b2"]


def test_a_batch_is_made_of_a_users_directory_without_touching_its_files(api: Api) -> None:
    batch = api.batch()
    ran = api.submit(
        *[(api.listing, []), (api.create, batch), (api.listing, [batch])],
        values={api.directory: "d1"},
        items=None,
        existing=Existing(place=Copy(id="d1")),
        began=BEGAN,
    )
    assert (ran.end.id, ran.names) == ("b1", [api.create])


def test_a_batch_of_a_users_directory_that_may_have_been_sent_is_looked_for(api: Api) -> None:
    ran = api.submit(
        *[(api.listing, []), (api.listing, [api.batch()])],
        values={api.directory: "d1"},
        items=None,
        existing=Existing(place=Copy(id="d1")),
        began=BEGAN,
        was_sent=True,
    )
    assert (ran.end.id, ran.names) == ("b1", [])


def test_which_of_several_batches_of_a_users_directory_is_ours_is_not_guessed(api: Api) -> None:
    existing = Existing([api.copy(api.batch("b1")), api.copy(api.batch("b2"))], Copy(id="d1"))
    ran = api.submit(values={api.directory: "d1"}, items=None, existing=existing)
    assert ran.names == []
    assert reason(ran) == (
        "Directory d1 has 2 batches of this run, 'b1', 'b2', and it is not known which one belongs to this task. "
        "Cancel those that are not wanted, or submit files instead."
    )


def test_a_second_batch_of_a_users_directory_that_came_meanwhile_is_not_cancelled(api: Api) -> None:
    """It may be another task's."""
    batches = [api.batch("b1"), api.batch("b2")]
    ran = api.submit(
        *[(api.listing, []), (api.create, batches[1]), (api.listing, batches)],
        values={api.directory: "d1"},
        items=None,
        existing=Existing(place=Copy(id="d1")),
        began=BEGAN,
    )
    assert ran.names == [api.create]


# What is wrong before any request.


@pytest.mark.parametrize(("directory", "items"), [(None, None), ("d1", ITEMS)])
def test_either_files_or_a_directory_is_needed(directory: str | None, items: Any, api: Api) -> None:
    found = api.submission.inspect(api.work({api.directory: directory}, items=items))
    assert found == Stopped(f"Either files or {api.directory} is needed, and not both.")


def test_files_and_bytes_are_said_before(api: Api) -> None:
    assert api.submission.inspect(api.work()) == Preflight(items=2, facts={"bytes": 6})
    of_directory = api.submission.inspect(api.work({api.directory: "d1"}, items=None))
    assert of_directory == Preflight(items=0, facts={"directory": "d1"})


@pytest.mark.parametrize(
    ("job_type", "largest", "is_taken"),
    [("parse_v2", 100_000_001, True), ("extract_v2", 100_000_000, True), ("extract_v2", 100_000_001, False)],
)
def test_files_that_are_too_large_to_extract_from_are_named(job_type: str, largest: int, is_taken: bool) -> None:
    api = APIS["v2"]
    items = [*ITEMS, SourceFile("large.pdf", "c" * 64, largest)]
    found = api.submission.inspect(api.work({"job_type": job_type}, items=items))
    if is_taken:
        assert isinstance(found, Preflight)
    else:
        assert found == Stopped("1 files have more than the 100 MB that are extracted: 'large.pdf'.")


def test_what_a_task_may_say_is_what_the_creation_takes_with_or_without_a_directory(api: Api) -> None:
    parameters = {parameter.name: parameter.required for parameter in api.submission.parameters}
    assert parameters.pop(api.directory) is False
    assert parameters.pop("project_id") is parameters.pop("organization_id") is False
    assert parameters == dict.fromkeys(api.values, True)
    assert api.submission.most_items == 1000


def test_a_batch_that_another_task_makes_in_the_same_directory_meanwhile_is_not_taken(api: Api) -> None:
    mine, older = api.batch("b2", created=2), api.batch("b1")
    ran = api.submit(
        (api.listing, []),
        (api.create, mine),
        (api.listing, [older, mine]),
        existing=Existing(place=PLACE),
        items=None,
        values={api.directory: "d1"},
    )
    assert ran.end.id == "b2"
    assert ran.names == [api.create]
