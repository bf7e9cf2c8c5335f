"""The tests that every vendor should pass, as a class that pytest collects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from unittest import mock

import pytest

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.endpoint import Listing, Resource
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.paging import CursorPaging, LinkPaging
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.testing import (
    check_answers,
    check_classes,
    check_declarations,
    check_requests,
    check_states,
    check_tasks,
)
from airflow_batch_provider.testing.declared import Declared, NotCheckedError


class Check(NamedTuple):
    """A check, and what it is made of.

    :param run: raises AssertionError if something is wrong, or NotCheckedError
    :param subjects: returns what to check, one by one; None if the vendor as a whole is checked
    """

    run: Callable[..., None]
    subjects: Callable[[Declared], Sequence[Any]] | None = None


def _endpoints(declared: Declared) -> Sequence[Any]:
    return declared.endpoints


def _listings(declared: Declared) -> list[Listing]:
    return declared.listings


def _listings_in_order(declared: Declared) -> Sequence[Any]:
    return [listing for listing in declared.listings if isinstance(listing.paging, (CursorPaging, LinkPaging))]


def _listings_with_cursors(declared: Declared) -> Sequence[Any]:
    """Return those whose next page is named, rather than begins behind the last row."""
    some = Page(Rows(["a"], [""], [b"{}"]))
    return [listing for listing in _listings_in_order(declared) if not listing.paging.continues(some)]


def _listings_with_columns(declared: Declared) -> Sequence[Any]:
    return [listing for listing in declared.listings if listing.columns]


def _listings_with_samples(declared: Declared) -> Sequence[Any]:
    return [listing for listing in declared.listings if listing.name in declared.answers or listing.columns]


def _resources_with_samples(declared: Declared) -> Sequence[Any]:
    resources = [endpoint for endpoint in declared.endpoints if isinstance(endpoint, Resource)]
    return [resource for resource in resources if resource.name in declared.answers]


def _kinds(declared: Declared) -> Sequence[Any]:
    return declared.kinds


def _kinds_that_filter(declared: Declared) -> Sequence[Any]:
    return [kind for kind in declared.kinds if kind.unfinished]


def _kinds_read_alone(declared: Declared) -> Sequence[Any]:
    return [kind for kind in declared.kinds if kind.single]


def _tasks(declared: Declared) -> Sequence[Any]:
    return declared.tasks


def _sensors(declared: Declared) -> Sequence[Any]:
    sensors = [task for task in declared.tasks if issubclass(task, BatchSensor)]
    return [sensor for sensor in sensors if not issubclass(sensor, RunBatchOperator)]


def _runs(declared: Declared) -> Sequence[Any]:
    return declared.runs


CHECKS: tuple[Check, ...] = (
    Check(check_declarations.names_are_unique_and_stable),
    Check(check_declarations.extras_are_used),
    Check(check_declarations.requests_have_every_value, _endpoints),
    Check(check_declarations.columns_fit_the_rows, _listings),
    Check(check_declarations.results_can_be_read, lambda declared: declared.results),
    Check(check_declarations.submissions_fit_their_kind, lambda declared: declared.submissions),
    Check(check_declarations.error_responses_of_gateways_are_classified),
    Check(check_states.the_kind_is_found_by_its_name, _kinds),
    Check(check_states.every_status_word_has_an_outcome, _kinds),
    Check(check_states.any_other_word_is_unknown, _kinds),
    Check(check_states.words_to_filter_by_are_all_that_run, _kinds_that_filter),
    Check(check_states.a_change_changes_the_version, _kinds),
    Check(check_states.odd_values_do_no_harm, _kinds),
    Check(check_states.hostile_text_is_shown_harmless, _kinds),
    Check(check_states.a_batch_reads_the_same_alone_and_in_the_listing, _kinds_read_alone),
    Check(check_answers.samples_belong_to_endpoints),
    Check(check_answers.sample_pages_are_read, _listings_with_samples),
    Check(check_answers.sample_objects_are_read, _resources_with_samples),
    Check(check_answers.columns_are_those_of_the_rows, _listings_with_columns),
    Check(check_answers.rows_come_back_from_files, _listings_with_samples),
    Check(check_answers.sample_errors_are_classified),
    Check(check_requests.a_listing_is_read_to_its_end, _listings),
    Check(check_requests.an_empty_page_is_not_the_end, _listings_with_cursors),
    Check(check_requests.a_cursor_that_repeats_is_an_error, _listings_in_order),
    Check(check_requests.no_error_has_the_key),
    Check(check_classes.the_hook_is_that_of_the_vendor),
    Check(check_classes.a_task_is_documented_and_templated, _tasks),
    Check(check_classes.a_dag_with_the_task_is_serialized, _tasks),
    Check(check_classes.a_deferred_wait_is_stored, _sensors),
    Check(check_classes.the_provider_info_describes_the_connection),
    Check(check_tasks.a_piece_of_work_is_submitted_once, _runs),
    Check(check_tasks.a_lost_answer_submits_nothing_twice, _runs),
    Check(check_tasks.a_lost_request_is_submitted_by_another_try, _runs),
    Check(check_tasks.an_export_accounts_for_every_item, lambda declared: declared.exports),
)


def contract_of(declared: Declared) -> type:
    """Return a class with a test for each check of a vendor.

    :param declared: the vendor
    """
    tests: dict[str, Any] = {}
    for check in CHECKS:
        subjects = None if check.subjects is None else list(check.subjects(declared))
        if subjects is None or subjects:
            tests[f"test_{check.run.__name__}"] = _test(check.run, declared, subjects)
    return type("VendorContract", (), {"__doc__": f"What {declared.vendor.title} should pass.", **tests})


def _test(run: Callable[..., None], declared: Declared, subjects: Sequence[Any] | None) -> Callable[..., None]:
    def checked(*subject: Any) -> None:
        try:
            with mock.patch.object(backoff, "pause"):
                run(declared, *subject)
            return
        except AssertionError as violation:
            found = str(violation)
        except NotCheckedError as reason:
            pytest.skip(str(reason))
        pytest.fail(found, pytrace=False)  # the sentence says it all

    if subjects is None:

        def test(self: object) -> None:
            checked()
    else:

        @pytest.mark.parametrize("subject", subjects, ids=_name_of)
        def test(self: object, subject: Any) -> None:
            checked(subject)

    test.__doc__ = run.__doc__
    return test


def _name_of(subject: Any) -> str | None:
    name = getattr(subject, "name", None) or getattr(subject, "__name__", None)
    return str(name) if name and name != "<lambda>" else None
