"""Each check of the contract fails for what it is there for: a table of vendors that are declared wrongly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from msgspec.structs import replace

from airflow_batch_provider import vendor_kit as kit
from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.exceptions import RequestRefusedError
from airflow_batch_provider.testing import check_answers, check_states, no_backoff
from airflow_batch_provider.testing.contract import CHECKS
from airflow_batch_provider.testing.declared import Declared, NotCheckedError
from tests.fourth_vendor.acme import JOB, JOBS, TEAM, VENDOR
from tests.fourth_vendor.operators import AcmeExportTranscriptsOperator, AcmeHook, AcmeJobSensor, AcmeRunJobOperator
from tests.fourth_vendor.provider_info import get_provider_info
from tests.fourth_vendor.results import ONE_JOB, TRANSCRIPTS
from tests.fourth_vendor.server import job
from tests.fourth_vendor.submission import CREATE, SUBMISSION
from tests.unit.testing import heavy_info
from tests.unit.testing.declared import GIVEN, RECORDED, answering, declared

Case = tuple[Declared, *tuple[Any, ...]]
"""What a check gets: the vendor, and what of it is checked."""

STATUS = kit.Parameter("status", kit.Choice(("queued", "typing", "typed", "garbled")), "status")
FILTERED = replace(JOBS, parameters=(TEAM, STATUS))


def state(outcome: Callable[[Any], kit.Outcome], **facts: Any) -> Any:
    """Return a function that reads a state, with an outcome of its own."""
    return lambda batch: kit.BatchState(
        **{"id": batch["id"], "status": str(batch["status"]), "outcome": outcome(batch), **facts}
    )


def right(batch: Any) -> kit.Outcome:
    return JOB.state(batch).outcome


def of_kind(**changes: Any) -> Case:
    return declared(), replace(JOB, **changes)


def counting(batch: Any) -> kit.BatchState:
    return kit.BatchState(batch["id"], str(batch["status"]), right(batch), {"minutes": int(batch["minutes"])})


class Eager(kit.CursorPaging, frozen=True):
    """Takes an empty page for the end."""

    def following(self, step: Any, taken: Any) -> Any:
        return super().following(step, taken) if taken.rows else None


class Blind(kit.CursorPaging, frozen=True):
    """Sees no cursor."""

    def token(self, page: Any) -> str:
        return ""


def of_listing(**changes: Any) -> Case:
    return declared(), replace(JOBS, **changes)


def of_page(*documents: Any, **changes: Any) -> Case:
    return declared(answers=answering(JOBS.name, *documents)), replace(JOBS, **changes)


def of_vendor(**changes: Any) -> Case:
    return (declared(vendor=replace(VENDOR, **changes)),)


def of_sensor(**names: Any) -> Case:
    return declared(), type("WrongSensor", (AcmeJobSensor,), {"__doc__": "Waits.", **names})


class Positional(BaseOperator):
    """Takes a parameter by position."""

    template_fields = ("job_id",)

    def __init__(self, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Untemplated(BaseOperator):
    """Has a parameter that is no template."""

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Undocumented(BaseOperator):
    pass


class Eagerly(AcmeJobSensor):
    """Reads a parameter before it is rendered."""

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(job_id=str(int(job_id)), **kwargs)


class Forgetful(BaseOperator):
    """Sets no attribute."""

    template_fields = ("job_id",)

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Locked(AcmeJobSensor):
    """Has what cannot be copied."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lock = threading.Lock()


class Blocking(AcmeHook):
    @classmethod
    def get_connection(cls, conn_id: str) -> Any:
        raise NotImplementedError


class OtherType(AcmeHook):
    conn_type = "other"


class OtherDefault(AcmeHook):
    default_conn_name = "other_default"


class NoProbe(AcmeHook):
    probe = ONE_JOB  # type: ignore[assignment]


class NoWords(AcmeHook):
    def get_job(self) -> None:
        pass


def of_hook(hook: type) -> Case:
    path = f"{hook.__module__}.{hook.__name__}"
    vendor = replace(VENDOR, hook=path)
    hook.vendor = vendor  # type: ignore[attr-defined]
    return (declared(vendor=vendor),)


def of_info(**changes: Any) -> Case:
    return (declared(provider_info=lambda: {**get_provider_info(), **changes}),)


def submitting(**changes: Any) -> Case:
    """Return a run of a submission that is declared otherwise."""

    class WrongRun(AcmeRunJobOperator):
        """Runs it."""

        submission = replace(SUBMISSION, **changes)

    return declared(), lambda: WrongRun(task_id="run", recordings=RECORDED)


def nothing_found(work: kit.Work) -> kit.Plan[kit.Existing]:
    yield kit.Tell("Nothing is looked up.")
    return kit.Existing()


def create_twice(work: kit.Work, existing: kit.Existing) -> kit.Plan[Any]:
    """Send what creates again, whatever became of it."""
    for _ in range(2):
        if existing.batches:
            return existing.batches[0]
        made = yield from kit.create(CREATE, {"label": work.key, "recordings": list(work.items)})
        if isinstance(made, kit.Found):
            return kit.Copy(id=made.document["id"])
    raise AssertionError


def give_up(work: kit.Work, existing: kit.Existing) -> kit.Plan[Any]:
    """Create, and fail for good if the answer is lost."""
    if existing.batches:
        return existing.batches[0]
    made = yield from kit.create(CREATE, {"label": work.key, "recordings": list(work.items)})
    return kit.Copy(id=made.document["id"]) if isinstance(made, kit.Found) else kit.Stopped("It was lost.")


def wait_for_ever(work: kit.Work, existing: kit.Existing) -> kit.Plan[Any]:
    """Create, and find nothing if the answer is lost."""
    made: Any = kit.Refused("")
    if not work.is_retry:
        made = yield from kit.create(CREATE, {"label": work.key, "recordings": list(work.items)})
    if isinstance(made, kit.Found):
        return kit.Copy(id=made.document["id"])
    return kit.Stopped("It is not there yet.", may_pass=True)


def exporting(**changes: Any) -> Case:
    """Return an export of results that are declared otherwise."""

    class WrongExport(AcmeExportTranscriptsOperator):
        """Exports them."""

        results = replace(TRANSCRIPTS, **changes)

    return declared(), lambda folder: WrongExport(task_id="export", job_id="job 3", destination=folder)


def contradictory(batch: kit.Batch, row: kit.Row, _: None) -> kit.Plan[kit.Item]:
    yield from ()
    return kit.Item(outcome=kit.ItemOutcome.FAILED)


def miscounted(values: Any) -> kit.Plan[Any]:
    document = (yield from kit.need(ONE_JOB)).document
    return kit.Batch(state=JOB.state(document), expected=99)


IN_PATH = kit.Parameter("job_id", kit.Identifier())
IN_BODY = (kit.Parameter("a", kit.Text(), "a", in_body=True), kit.Parameter("b", kit.Text(), "a.b", in_body=True))
ID_TWICE = Column("deep", kit.struct(id=kit.TEXT).__class__((Column("id", kit.TEXT), Column("id", kit.TEXT))))
NUMBERS = (
    kit.Parameter("page", kit.Integer(0), "page", default=0),
    kit.Parameter("size", kit.Integer(1), "size", default=10),
)
PAGE = {"jobs": [job(1, "typing")], "after": "x"}
LISTED_AND_ALONE = replace(JOB, single=ONE_JOB, id_parameter="job_id", state=kit.StateFields({"typing": kit.RUNNING}))

BROKEN: dict[str, dict[str, tuple[Callable[[], Case], str]]] = {
    "names_are_unique_and_stable": {
        "twice": (lambda: (declared(endpoints=[JOBS, FILTERED]),), "'acme.jobs' is declared 2 times"),
        "not stable": (lambda: (declared(endpoints=[replace(JOBS, name="acme.All jobs")]),), "in lower case"),
    },
    "extras_are_used": {
        "misspelt": (lambda: of_vendor(extras={"teamid": kit.Extra("T", "t")}), "'teamid' fills no parameter"),
        "choice": (
            lambda: of_vendor(extras={"team_id": kit.Extra("T", "t", choices=(" ",))}),
            "offers ' '; allowed is a text",
        ),
        "endpoint": (lambda: of_vendor(auths_of={"acme.thing": "team_id"}), "names acme.thing, which is no endpoint"),
    },
    "requests_have_every_value": {
        "path": (
            lambda: (declared(), kit.Resource(vendor=VENDOR, name="acme.x", path="/{job_id}", parameters=(IN_PATH,))),
            "'job_id' is part of the path, so it must be required",
        ),
        "within": (
            lambda: (declared(), replace(CREATE, path="/jobs", parameters=IN_BODY)),
            "one parameter lies within another",
        ),
        "over": (
            lambda: (declared(), replace(CREATE, path="/jobs", parameters=IN_BODY[::-1])),
            "b is lost, because another parameter takes its place",
        ),
        "GET": (lambda: (declared(), replace(CREATE, method="GET")), "a GET request has no body"),
    },
    "columns_fit_the_rows": {
        "none": (
            lambda: (declared(tasks=[type("T", (), {"listing": JOBS_BARE})]), JOBS_BARE),
            "is exported, so declare its columns",
        ),
        "no id": (lambda: of_listing(columns=kit.columns(status=kit.TEXT)), "there is no column 'id'"),
        "deep": (lambda: of_listing(columns=(Column("id", kit.TEXT), ID_TWICE)), "deep: column 'id' is declared twice"),
        "ours": (lambda: of_listing(columns=kit.columns(id=kit.TEXT, _extra=kit.TEXT)), "the column _extra is ours"),
    },
    "results_can_be_read": {
        "batch": (
            lambda: (declared(), replace(TRANSCRIPTS, parameters=(TEAM, IN_PATH))),
            "job_id names the batch, so it must be required",
        ),
        "columns": (lambda: (declared(), replace(TRANSCRIPTS, columns=JOBS.columns)), r"by result_columns\(...\)"),
    },
    "submissions_fit_their_kind": {
        "parameters": (lambda: (declared(), replace(SUBMISSION, parameters=())), "needs team_id"),
        "most": (lambda: (declared(), replace(SUBMISSION, most_items=0)), "nothing could be submitted"),
        "repeatable": (lambda: (declared(endpoints=[JOBS]), SUBMISSION), "no endpoint has is_repeatable=False"),
    },
    "error_responses_of_gateways_are_classified": {
        "raises": (
            lambda: of_vendor(read_error=lambda body: (body["error"].get("message"), None)),
            "read_error raises AttributeError",
        ),
        "code": (
            lambda: of_vendor(read_error=lambda body: ("no", "warming_up")),
            "HTTP 401 .* is read as ProblemKind.TRANSIENT",
        ),
    },
    "the_kind_is_found_by_its_name": {
        "nowhere": (lambda: of_kind(name="acme.JOB"), "must be named by its import path"),
        "another": (lambda: of_kind(state=right), "is the name of another kind"),
    },
    "every_status_word_has_an_outcome": {
        "case": (
            lambda: of_kind(
                state=state(lambda batch: kit.RUNNING if batch["status"].islower() else kit.Outcome.UNKNOWN)
            ),
            "'TYPING' has no outcome",
        ),
        "word": (lambda: of_kind(state=state(right, status="typing")), "is kept as 'typing'"),
        "meaning": (
            lambda: of_kind(state=kit.StateFields({**JOB.state.outcomes, "failed": kit.SUCCEEDED})),  # type: ignore[attr-defined]
            "'failed' is declared as SUCCEEDED",
        ),
        "success": (
            lambda: (declared(answers={}), replace(JOB, state=kit.StateFields({"typing": kit.RUNNING}))),
            "no status means SUCCEEDED",
        ),
    },
    "any_other_word_is_unknown": {
        "running": (
            lambda: of_kind(state=state(lambda batch: kit.RUNNING)),
            "'a word of next year', which is not documented, is read as RUNNING",
        ),
    },
    "words_to_filter_by_are_all_that_run": {
        "ended": (lambda: of_kind(listing=FILTERED, unfinished=("queued", "typed")), "'typed', which means SUCCEEDED"),
        "missing": (lambda: of_kind(listing=FILTERED, unfinished=("queued",)), "'typing' run, so unfinished must"),
    },
    "a_change_changes_the_version": {
        "words": (
            lambda: of_kind(state=state(right, status="same"), listing=FILTERED),
            "give the same version",
        ),
        "another field": (lambda: of_kind(state=state(right, counts={"minutes": 70})), "minutes is 70, but the field"),
    },
    "odd_values_do_no_harm": {
        "raises": (lambda: of_kind(state=counting), "raises TypeError.* if minutes is None"),
        "success": (
            lambda: of_kind(state=state(lambda batch: right(batch) if batch["minutes"] else kit.SUCCEEDED)),
            "has succeeded if minutes is None",
        ),
    },
    "hostile_text_is_shown_harmless": {
        "part of a word": (
            lambda: of_kind(state=state(lambda batch: kit.SUCCEEDED if "xx" in batch["status"] else right(batch))),
            "a hostile status is read as SUCCEEDED",
        ),
        "shown": (lambda: of_kind(), "is shown as"),
    },
    "a_batch_reads_the_same_alone_and_in_the_listing": {
        "another status": (
            lambda: (
                declared(answers={**answering(JOBS.name, PAGE), **answering(ONE_JOB.name, job(1, "typed"))}),
                LISTED_AND_ALONE,
            ),
            "job 1 is .*'typing'.* in the listing, and .*'typed'.* read alone",
        ),
        "counters": (
            lambda: (
                declared(
                    answers={
                        **answering(JOBS.name, PAGE),
                        **answering(ONE_JOB.name, {**job(1, "typing"), "recordings": 7}),
                    }
                ),
                replace(LISTED_AND_ALONE, state=kit.StateFields({"typing": kit.RUNNING}, counts=("recordings",))),
            ),
            "'recordings': 7",
        ),
        "unreadable": (lambda: (declared(answers=answering(ONE_JOB.name, {})), LISTED_AND_ALONE), "cannot be read"),
    },
    "samples_belong_to_endpoints": {
        "misspelt": (lambda: (declared(answers=answering("acme.job_list", PAGE)),), "'acme.job_list', which is no"),
    },
    "sample_pages_are_read": {
        "rows": (
            lambda: of_page(PAGE, bodies=(kit.Body(rows="data.jobs", next_token="after"),)),
            "the sample answer cannot be read",
        ),
        "id": (
            lambda: of_page(PAGE, bodies=(kit.Body(rows="jobs", id="uuid", next_token="after"),)),
            "the sample answer cannot be read",
        ),
        "empty": (lambda: of_page({"jobs": [], "after": "x"}), "no sample answer has a row"),
        "clock": (
            lambda: of_page(PAGE, created_field="uploaded_at", created_clock=kit.Clock.UNIX_SECONDS),
            "uploaded_at of job 1 is no time",
        ),
        "cursor": (
            lambda: of_page(PAGE, bodies=(kit.Body(rows="jobs", next_token="next"),)),
            "no sample answer leads to another page",
        ),
    },
    "sample_objects_are_read": {
        "id": (lambda: (declared(), replace(ONE_JOB, id="uuid")), "an object with 'uuid' is expected"),
    },
    "columns_are_those_of_the_rows": {
        "type": (lambda: of_page(PAGE, columns=kit.columns(id=kit.INTEGER)), "not of the declared type: id"),
        "name": (lambda: of_page(PAGE, columns=kit.columns(id=kit.TEXT, minuts=kit.INTEGER)), "the columns minuts"),
    },
    "rows_come_back_from_files": {
        "lost": (lambda: (declared(), JOBS), "a row is not the same in jsonl"),
        "lost column": (lambda: (declared(), JOBS), "id, .* of a row is not in the csv file"),
    },
    "sample_errors_are_classified": {
        "class": (lambda: (declared(errors=[(401, b"{}", RequestRefusedError)]),), "AuthenticationError, not Request"),
        "words": (
            lambda: (declared(errors=[(400, b'{"problem":"x"}', RequestRefusedError)]),),
            "the vendor's words are not found",
        ),
        "codes": (
            lambda: of_vendor(kinds_by_code={**VENDOR.kinds_by_code, "nobody": kit.ProblemKind.PAYMENT}),
            "kinds_by_code has nobody, which no sample error has",
        ),
    },
    "a_listing_is_read_to_its_end": {
        "no cursor": (lambda: of_listing(paging=Blind("after")), "of 4 rows in pages of 3 it reads 3"),
        "page zero": (
            lambda: of_listing(parameters=(TEAM, *NUMBERS), paging=kit.NumberPaging("page", "size")),
            "of 1 rows in pages of 3 it reads 0",
        ),
        "unreadable": (
            lambda: of_listing(bodies=(kit.Body(rows="jobs", more="more"),), paging=Blind("after")),
            "a page of its own declaration cannot be read",
        ),
    },
    "an_empty_page_is_not_the_end": {
        "ends": (lambda: of_listing(paging=Eager("after")), "ends with an empty page"),
    },
    "a_cursor_that_repeats_is_an_error": {
        "unread": (lambda: of_listing(paging=Blind("after")), "is read as a listing of 3 rows"),
    },
    "no_error_has_the_key": {"echoed": (lambda: (declared(),), "the API key is in the message")},
    "the_hook_is_that_of_the_vendor": {
        "nowhere": (lambda: of_vendor(hook="acme.hooks.AcmeHook"), "cannot be imported"),
        "no hook": (lambda: of_vendor(hook="tests.fourth_vendor.operators.AcmeJobSensor"), "is no BatchApiHook"),
        "vendor": (lambda: of_vendor(title="Other"), "AcmeHook.vendor must be vendor"),
        "type": (lambda: of_hook(OtherType), "OtherType.conn_type must be 'acme'"),
        "default": (lambda: of_hook(OtherDefault), "uses the connection 'acme_default'"),
        "probe": (lambda: of_hook(NoProbe), "probe must be a listing"),
        "docstring": (lambda: of_hook(NoWords), "NoWords.get_job has no docstring"),
    },
    "a_task_is_documented_and_templated": {
        "docstring": (lambda: (declared(), Undocumented), "Undocumented has no docstring"),
        "position": (lambda: (declared(), Positional), "job_id must be keyword-only"),
        "template": (lambda: (declared(), Untemplated), "job_id must be a template field"),
    },
    "a_dag_with_the_task_is_serialized": {
        "eager": (lambda: (declared(), Eagerly), "fails while a DAG is parsed .* ValueError"),
        "unset": (lambda: (declared(), Forgetful), "__init__ sets no job_id"),
        "copy": (lambda: (declared(), Locked), "cannot be serialized or copied: TypeError"),
    },
    "a_deferred_wait_is_stored": {
        "kind": (lambda: of_sensor(kind=replace(JOB, name="acme.JOB")), "cannot be deferred.*acme.JOB"),
        "hook": (lambda: of_sensor(hook_class=Blocking), "overrides get_connection"),
        "deferrable": (lambda: of_sensor(_defer=lambda *_: None), "is not deferred with deferrable=True"),
    },
    "the_provider_info_describes_the_connection": {
        "schema": (lambda: of_info(name=7), "not as Airflow's schema says"),
        "type": (lambda: of_info(**{"connection-types": []}), "no connection type 'acme'"),
        "hook": (
            lambda: of_info(**{"connection-types": [kit.connection_type(replace(VENDOR, hook="a.B"))]}),
            "names the hook 'a.B'",
        ),
        "form": (
            lambda: of_info(**{"connection-types": [kit.connection_type(replace(VENDOR, extras={}))]}),
            "no field for team_id",
        ),
        "Airflow": (lambda: (declared(provider_info=heavy_info.get_provider_info),), "must not import Airflow"),
    },
    "a_piece_of_work_is_submitted_once": {
        "repeatable": (
            lambda: (declared(endpoints=[JOBS]), *GIVEN["runs"]),
            "it sent no request that creates",
        ),
        "not found": (lambda: submitting(find=nothing_found, submit=create_twice), "a second try created it again"),
    },
    "a_lost_answer_submits_nothing_twice": {
        "never": (
            lambda: submitting(submit=wait_for_ever),
            "tries of the task did not submit the batch: It is not there yet",
        ),
        "blindly": (lambda: submitting(submit=create_twice), "created twice: 2 requests were accepted instead of 1"),
    },
    "a_lost_request_is_submitted_by_another_try": {
        "gives up": (lambda: submitting(submit=give_up), "did not submit the batch: It was lost"),
    },
    "an_export_accounts_for_every_item": {
        "count": (lambda: exporting(begin=miscounted), "the export failed: .*the batch counts 99"),
        "error": (lambda: exporting(item=contradictory), "is failed, and its error is None"),
        "type": (
            lambda: exporting(columns=kit.result_columns(JOBS.columns, kit.struct(words=kit.TEXT))),
            "not of the declared type: result.words",
        ),
        "empty": (lambda: exporting(items=replace(TRANSCRIPTS.items, path="/nowhere/{team_id}/{job_id}")), "failed"),
    },
}
JOBS_BARE = replace(JOBS, columns=())

PATCHED: dict[str, tuple[Any, str, Any]] = {
    "hostile_text_is_shown_harmless, shown": (check_states, "show_state", lambda state, show: state),
    "rows_come_back_from_files, lost": (check_answers, "iter_rows", lambda *_: iter(())),
    "rows_come_back_from_files, lost column": (check_answers, "_has", lambda row, rest, key: False),
    "no_error_has_the_key, echoed": (Redactor, "show", lambda self, text, longest=0: str(text)),
}
"""What no declaration can break is broken in the code that the check relies on."""


@contextmanager
def broken(case: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, no_backoff():
        if case in PATCHED:
            patch.setattr(*PATCHED[case])
        yield


CASES = {f"{name}, {why}": (name, *case) for name, cases in BROKEN.items() for why, case in cases.items()}
RUN = {check.run.__name__: check.run for check in CHECKS}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_declaration_fails_its_check(case: str) -> None:
    name, make, message = CASES[case]
    with broken(case), pytest.raises(AssertionError, match=message):
        RUN[name](*make())


def test_every_check_has_a_declaration_that_fails_it() -> None:
    assert list(BROKEN) == list(RUN)


SIZE = kit.Parameter("size", kit.Integer(1, 100), "size", default=100)
OFFSET = kit.Parameter("offset", kit.Integer(0), "offset", default=0)
NUMBER = kit.Parameter("page", kit.Integer(1), "page", default=1)
RIGHT: dict[str, dict[str, Any]] = {
    "all at once": {"paging": kit.WholePaging(), "bodies": (kit.Body(rows="data.jobs", id="job.id"),)},
    "JSON lines": {"paging": kit.WholePaging(), "bodies": (kit.Body(is_lines=True),)},
    "bare array and Link header": {"paging": kit.LinkPaging(), "bodies": (kit.Body(),)},
    "links in the body": {"paging": kit.LinkPaging(), "bodies": (kit.Body(rows="jobs", next_link="links.next"),)},
    "has_more and the last id": {"bodies": (kit.Body(rows="data", next_token="last_id", more="has_more"),)},
    "offset": {"paging": kit.OffsetPaging("offset", "size"), "parameters": (TEAM, OFFSET, SIZE)},
    "offset and total": {
        "paging": kit.OffsetPaging("offset", "size"),
        "parameters": (TEAM, OFFSET, SIZE),
        "bodies": (kit.Body(rows="jobs", total="total"),),
    },
    "page number and total": {
        "paging": kit.NumberPaging("page", "size"),
        "parameters": (TEAM, NUMBER, SIZE),
        "bodies": (kit.Body(rows="jobs", total="total", page_size="size"),),
        "total_is_exact": True,
    },
    "page number": {"paging": kit.NumberPaging("page", "size"), "parameters": (TEAM, NUMBER, SIZE)},
    "page number from 0": {
        "paging": kit.NumberPaging("page", "size", first_number=0),
        "parameters": (TEAM, *NUMBERS),
    },
    "in a POST": {"method": "POST"},
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_listing_passes(case: str) -> None:
    changes = {"bodies": (kit.Body(rows="jobs"),), **RIGHT[case]} if "paging" in RIGHT[case] else RIGHT[case]
    listing = replace(JOBS, **changes)
    RUN["a_listing_is_read_to_its_end"](declared(), listing)
    if isinstance(listing.paging, (kit.CursorPaging, kit.LinkPaging)):
        RUN["an_empty_page_is_not_the_end"](declared(), listing)
        RUN["a_cursor_that_repeats_is_an_error"](declared(), listing)


@pytest.mark.parametrize("errors", [[], None, [{"message": "It was refused"}], {"0": {"message": "It was refused"}}])
@pytest.mark.parametrize("check", ["odd_values_do_no_harm", "hostile_text_is_shown_harmless"])
def test_a_reason_in_a_list_passes(check: str, errors: Any) -> None:
    page = {"jobs": [{**job(1, "typing"), "errors": errors}], "after": "x"}
    kind = replace(JOB, state=kit.StateFields({"typing": kit.RUNNING}, reason="errors.0.message"))
    RUN[check](declared(answers=answering(JOBS.name, page)), kind)


NOT_CHECKED: dict[str, tuple[str, Callable[[], Case], str]] = {
    "no samples": ("sample_pages_are_read", lambda: (declared(answers={}), JOBS), "answers has none of acme.jobs"),
    "no errors": ("sample_errors_are_classified", lambda: (declared(errors=[]),), r"pass errors=\["),
    "no server": ("a_piece_of_work_is_submitted_once", lambda: (declared(serve=None), *GIVEN["runs"]), "pass serve="),
    "no info": (
        "the_provider_info_describes_the_connection",
        lambda: (declared(provider_info=None),),
        "pass provider_info=",
    ),
}


@pytest.mark.parametrize("case", NOT_CHECKED)
def test_what_was_not_given_is_named(case: str) -> None:
    name, make, message = NOT_CHECKED[case]
    with pytest.raises(NotCheckedError, match=message):
        RUN[name](*make())


def test_what_reads_tables_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_answers, "is_installed", lambda name: False)
    with pytest.raises(NotCheckedError, match=r"pip install 'airflow-batch-provider\[parquet\]'"):
        RUN["rows_come_back_from_files"](declared(), JOBS)


def test_a_value_that_a_parameter_does_not_take_is_asked_for() -> None:
    class Even(kit.Text, frozen=True):
        def encode(self, value: object) -> str | None:
            return value if isinstance(value, str) and len(value) % 2 == 0 else None

    parameter = kit.Parameter("word", Even(), "word", required=True)
    endpoint = replace(ONE_JOB, path="/words", parameters=(parameter,))
    with pytest.raises(AssertionError, match=r"Parameter word: None is not allowed; name one that is: values="):
        RUN["requests_have_every_value"](declared(), endpoint)
    RUN["requests_have_every_value"](declared(values={"word": "even"}), endpoint)
    assert json.dumps(endpoint.request({"word": "even"}).query) == '{"word": "even"}'
