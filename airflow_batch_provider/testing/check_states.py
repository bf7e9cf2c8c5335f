"""Checks of how a kind of batch is read: its status words, its counters, and whatever else a vendor may send."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from airflow_batch_provider.apis.batch_state import (
    FILTER,
    BatchKind,
    BatchState,
    Outcome,
    ShownState,
    StateFields,
    show_state,
)
from airflow_batch_provider.apis.body import count_of
from airflow_batch_provider.apis.endpoint import Resource, look_up
from airflow_batch_provider.apis.parameter import Choice
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.apis.shown import LONGEST_SHOWN, Redactor
from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail, put
from airflow_batch_provider.waiting.kinds import kind_named

KEY = "key-of-the-contract"

_UNKNOWN: tuple[object, ...] = ("a word of next year", "", " ", None, 7, True, ["completed"], {})
_MEANINGS: Mapping[str, frozenset[Outcome]] = {
    **dict.fromkeys(("completed", "complete", "succeeded", "success"), frozenset({Outcome.SUCCEEDED})),
    **dict.fromkeys(("failed", "failure", "error"), frozenset({Outcome.FAILED})),
    **dict.fromkeys(("cancelled", "canceled"), frozenset({Outcome.CANCELLED})),
    **dict.fromkeys(("expired", "aborted"), frozenset({Outcome.FAILED, Outcome.CANCELLED})),
    **dict.fromkeys(
        (
            "pending",
            "queued",
            "scheduled",
            "running",
            "processing",
            "in progress",
            "in_progress",
            "cancelling",
            "canceling",
        ),
        frozenset({Outcome.PENDING, Outcome.RUNNING}),
    ),
}
"""What words mean wherever they are used; any other word may mean anything."""

_ODD: tuple[object, ...] = (None, "", "x", -1, 1.5, 10**30, True, [], {}, [None], "\ud800\0\x1b[31m")
_HOSTILE = f"a\ud800\0\x1b[31m\u202e {KEY} " + "x" * 5000


def the_kind_is_found_by_its_name(declared: Declared, kind: BatchKind) -> None:
    """The triggerer has nothing but the name."""
    try:
        found = kind_named(kind.name)
    except BatchProviderError as error:
        fail(f"The kind {kind.name!r} must be named by its import path: {error}")
    if found is not kind:
        fail(f"{kind.name} is the name of another kind.")


def every_status_word_has_an_outcome(declared: Declared, kind: BatchKind) -> None:
    """Documented words are understood in any case, and the word is kept as it came."""
    words = _words(declared, kind)
    for word in words:
        for spelt in (word, word.upper(), word.lower(), word.title()):
            state = kind.state(declared.batch(kind, spelt))
            if state.outcome is Outcome.UNKNOWN:
                fail(f"{kind.name}: the status {spelt!r} has no outcome, so that it is waited on forever.")
            if state.status != spelt:
                fail(f"{kind.name}: the status {spelt!r} is kept as {state.status!r}; keep the vendor's word.")
        outcome = kind.state(declared.batch(kind, word)).outcome
        meaning = _MEANINGS.get(word.casefold())
        if meaning and outcome not in meaning:
            fail(f"{kind.name}: the status {word!r} is declared as {outcome.name}.")
    outcomes = {kind.state(declared.batch(kind, word)).outcome for word in words}
    if Outcome.SUCCEEDED not in outcomes:
        fail(f"{kind.name}: no status means SUCCEEDED, so that every wait times out or fails.")


def any_other_word_is_unknown(declared: Declared, kind: BatchKind) -> None:
    """A word that the vendor adds is no success, and ends no wait."""
    for word in _UNKNOWN:
        outcome = kind.state(declared.batch(kind, word)).outcome
        if outcome is not Outcome.UNKNOWN:
            fail(f"{kind.name}: the status {word!r}, which is not documented, is read as {outcome.name}.")


def words_to_filter_by_are_all_that_run(declared: Declared, kind: BatchKind) -> None:
    """A poll filters the listing by ``unfinished``: a batch with a word that is missing there would not be found."""
    for word in kind.unfinished:
        if (outcome := kind.state(declared.batch(kind, word)).outcome) not in {Outcome.PENDING, Outcome.RUNNING}:
            fail(f"{kind.name}: unfinished has {word!r}, which means {outcome.name}.")
    known = {word.casefold() for word in kind.unfinished}
    for word in _words(declared, kind):
        if not kind.state(declared.batch(kind, word)).outcome.is_terminal and word.casefold() not in known:
            fail(f"{kind.name}: batches with the status {word!r} run, so unfinished must have it.")


def a_change_changes_the_version(declared: Declared, kind: BatchKind) -> None:
    """An export is made again if status or counters of its batch have changed."""
    words = _words(declared, kind)
    versions = [json.dumps(kind.version_of(_shown(kind, declared.batch(kind, word)))) for word in words]
    if len(set(versions)) < len(words):
        fail(f"{kind.name}: two of the words {', '.join(words)} give the same version.")
    for word in words:
        batch = declared.batch(kind, word)
        if isinstance(kind.state, StateFields):
            for number, path in enumerate(kind.state.counts):
                put(batch, path, number)
        before = _shown(kind, batch)
        for name, count in before.counts.items():
            if (there := count_of(look_up(batch, name))) is None:
                continue  # it is computed
            if there != count:
                fail(f"{kind.name}: the counter {name} is {count}, but the field {name} is {there}.")
            changed = deepcopy(batch)
            put(changed, name, count + 1)
            after = _shown(kind, changed)
            if after.mark == before.mark or (kind.lists_counts and kind.version_of(after) == kind.version_of(before)):
                fail(f"{kind.name}: another {name} gives the same version; read it from its field.")


def odd_values_do_no_harm(declared: Declared, kind: BatchKind) -> None:
    """Whatever a vendor sends in a field, a state is read, and it does not become a success."""
    batch = declared.batch(kind, _running_word(declared, kind))
    if isinstance(kind.state, StateFields):
        for path in filter(None, (*kind.state.counts, kind.state.reason, kind.state.updated_at)):
            if look_up(batch, path) is None:
                put(batch, path, None)
    identifier = kind.listing.bodies[0].id
    for path in _paths(batch):
        for value in _ODD:
            changed = deepcopy(batch)
            put(changed, path, value)
            if look_up(changed, identifier) is None:
                continue  # without an id it is no batch
            try:
                state = _shown(kind, changed)
            except Exception as error:  # noqa: BLE001 - of the vendor's own function
                fail(f"{kind.name}: the state raises {error!r} if {path} is {value!r}.")
            if state.outcome is Outcome.SUCCEEDED:
                fail(f"{kind.name}: a batch that runs has succeeded if {path} is {value!r}.")


def hostile_text_is_shown_harmless(declared: Declared, kind: BatchKind) -> None:
    """Whatever a vendor writes can be logged, stored in Airflow's database and sent in an event."""
    batch = declared.batch(kind, "")
    if isinstance(kind.state, StateFields):
        for path in filter(None, (kind.state.reason, kind.state.updated_at)):
            put(batch, path, "")
    for path in list(_paths(batch)):
        if isinstance(look_up(batch, path), str):
            put(batch, path, _HOSTILE)
    state = _shown(kind, batch)
    for text in (state.id, state.status, state.reason, state.updated_at, *state.counts):
        if text is not None and (KEY in text or not text.isprintable() or len(text) > LONGEST_SHOWN):
            fail(f"{kind.name}: a text of the vendor is shown as {text[:80]!r}.")
    if state.outcome is not Outcome.UNKNOWN:
        fail(f"{kind.name}: a hostile status is read as {state.outcome.name}.")


def a_batch_reads_the_same_alone_and_in_the_listing(declared: Declared, kind: BatchKind) -> None:
    """Otherwise an export would be made again each time, or never."""
    assert kind.single
    single = kind.single
    listed = {
        str(identifier): bytes(line)
        for rows in declared.rows_of(kind.listing)
        for identifier, line in zip(rows.ids, rows.lines, strict=True)
    }
    pairs = [
        (kind.state(read_json(listed[state.id].decode())), state)
        for body in declared.answers.get(single.name, ())
        if (state := kind.state(_read(single, body))).id in listed
    ]
    if not pairs:
        raise NotCheckedError(f"answers has no batch that both {kind.listing.name} and {single.name} show")
    for in_listing, alone in pairs:
        one, other = (kind.version_of(show_state(state, Redactor([]).show)) for state in (in_listing, alone))
        if one != other or in_listing.outcome is not alone.outcome:
            fail(f"{kind.name}: {alone.id} is {one} in the listing, and {other} if it is read alone.")


def _read(single: Resource, body: bytes) -> dict[str, Any]:
    found = single.read(Answer(200, {}, body))
    if isinstance(found, Problem):
        fail(f"{single.name}: the sample answer cannot be read: {found.message}.")
    return found


def _words(declared: Declared, kind: BatchKind) -> list[str]:
    """Return the documented words: those of the state, of the listing's filter, and of the samples."""
    words = list(kind.state.outcomes) if isinstance(kind.state, StateFields) else []
    for parameter in kind.listing.parameters:
        if parameter.name == FILTER and isinstance(parameter.domain, Choice):
            words += parameter.domain.words
    for rows in declared.rows_of(kind.listing):
        words += [kind.state(read_json(bytes(line).decode())).status for line in rows.lines]
    words = list({word.casefold(): word for word in words}.values())
    if not words:
        raise NotCheckedError(f"answers has no batch of {kind.listing.name}, and nothing else has its status words")
    return words


def _running_word(declared: Declared, kind: BatchKind) -> str:
    for word in _words(declared, kind):
        if not kind.state(declared.batch(kind, word)).outcome.is_terminal:
            return word
    return "a word of next year"


def _shown(kind: BatchKind, batch: Mapping[str, Any]) -> ShownState:
    state: BatchState = kind.state(batch)
    return show_state(state, Redactor([KEY]).show)


def _paths(document: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in document.items():
        if "." not in key and key:
            yield above + key
            if isinstance(value, Mapping):
                yield from _paths(value, f"{above}{key}.")
