"""The page "Batches" shows what real tasks did, whatever a vendor says, and how much of it there is."""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import FrameLocator, Locator, Route, expect

from dev.local.layout import Layout
from tests.ui.airflow_api import AirflowApi
from tests.ui.browser import SIZE, Browser

HOSTILE = "<img src=x onerror=\"top.document.title='taken'\"><script>top.document.title='taken'</script>"
WAITS = "playment_wait_and_export"
EXPORTS = "talkifai_wait_and_export"
INSERTED = "llamacloud_files_to_markdown"
MANY = 5000


@pytest.fixture
def frame(ui: Browser) -> Iterator[FrameLocator]:
    """The page, in the frame in which Airflow shows it."""
    problems: list[str] = []
    ui.page.on("pageerror", lambda error: problems.append(str(error)))
    yield open_page(ui)
    assert problems == []
    assert ui.page.title() != "taken"


def open_page(ui: Browser) -> FrameLocator:
    ui.open("/plugin/batches")
    frame = ui.page.frame_locator("iframe[title=Batches]")
    expect(frame.locator("#refreshed")).to_contain_text("As of")
    return frame


def rows(frame: FrameLocator, section: str) -> Locator:
    return frame.locator(f"#{section} tbody tr")


def test_an_airflow_in_which_nothing_ran_says_what_would_be_here(frame: FrameLocator, api: AirflowApi) -> None:
    """The first test of the folder, so that nothing has run yet."""
    assert api.call("GET", "/api/v2/assets/events?limit=1")["total_entries"] == 0
    for section, words in (
        ("waits", "No task is waiting for a batch"),
        ("failures", "has failed"),
        ("chart", "once there are exports"),
        ("exports", "Nothing has been exported yet"),
    ):
        expect(frame.locator(f"#{section}")).to_contain_text(words)


@pytest.fixture(scope="module")
def runs(api: AirflowApi) -> dict[str, str]:
    """A run that waits, one that failed, and one that exported what another had exported."""
    api.trigger(WAITS)
    failed = api.trigger(EXPORTS, {"job_id": "batch_nowhere"})
    assert api.wait_for_run(failed) == "failed"
    exported = api.trigger(EXPORTS)
    assert api.wait_for_run(exported) == "success"
    (waits,) = [f"/api/v2/dags/{WAITS}/dagRuns/{quote(run['dag_run_id'])}" for run in api.running(WAITS)]
    api.wait_for_task(waits, "wait", "deferred")
    return {"waits": waits, "failed": failed, "exported": exported}


def test_a_wait_shows_its_batch_and_its_deadline(runs: dict[str, str], frame: FrameLocator, api: AirflowApi) -> None:
    row = rows(frame, "waits").filter(has_text=WAITS)
    vendor, batch, task, since, seen, deadline = row.get_by_role("cell").all()
    expect(vendor).to_have_text("TELUS/Playment")
    expect(batch).to_have_text(api.call("GET", f"{runs['waits']}/taskInstances/wait")["rendered_fields"]["batch_id"])
    expect(task).to_have_text(f"{WAITS} / wait")
    expect(since).to_have_text(re.compile("now|ago"))
    expect(seen).to_contain_text("completed")
    expect(deadline).to_have_text("in 7 days")


def test_links_lead_out_of_the_frame(runs: dict[str, str], api: AirflowApi, ui: Browser, stack: Layout) -> None:
    pages = {"a batch": f"{stack.sandbox_url}/?batch", WAITS: f"{stack.airflow_url}/dags/{WAITS}/runs/"}
    with said(api, runs["waits"], {"batch_id": "a batch", "page": pages["a batch"]}):
        row = rows(open_page(ui), "waits").filter(has_text=WAITS)
        for name, url in pages.items():
            with ui.page.context.expect_page() as opened:
                row.get_by_role("link", name=name).click()
            opened.value.wait_for_url(f"{url}**")
            opened.value.close()


@contextmanager
def said(api: AirflowApi, run: str, changes: dict[str, Any]) -> Iterator[None]:
    """Let a wait have stored something else."""
    path = f"{run}/taskInstances/wait/xcomEntries/batch_provider_wait"
    value = api.call("GET", f"{path}?deserialize=true")["value"]
    before = json.loads(value) if isinstance(value, str) else value
    api.call("PATCH", path, {"value": {**before, **changes}, "map_index": -1})
    yield
    api.call("PATCH", path, {"value": before, "map_index": -1})


def test_a_failure_shows_the_sentence_of_its_exception(runs: dict[str, str], frame: FrameLocator) -> None:
    row = rows(frame, "failures").filter(has_text="batch_nowhere")
    expect(row).to_contain_text("NotFoundError: TalkifAI answered HTTP 404: Batch job not found")
    expect(row).to_contain_text(f"{EXPORTS} / wait")


def test_an_export_shows_what_changed_since_the_one_before(
    runs: dict[str, str], frame: FrameLocator, api: AirflowApi, stack: Layout
) -> None:
    summary = api.call("GET", f"{runs['exported']}/taskInstances/export/xcomEntries/return_value?deserialize=true")
    manifest = json.loads(next(stack.exports.rglob("conversations/*/_MANIFEST.json")).read_text())
    newest, oldest = rows(frame, "exports").filter(has_text="conversations").all()
    expect(newest.get_by_role("cell").nth(2)).to_have_text(str(manifest["rows"]))
    expect(newest.get_by_role("cell").nth(3)).to_have_text("±0")
    expect(newest.get_by_role("cell").nth(4)).to_contain_text(f"{manifest['rows']} ok")
    expect(newest.get_by_role("cell").nth(6)).to_contain_text("talkifai/conversations/")
    expect(oldest.get_by_role("cell").nth(3)).to_have_text("new")
    assert str(summary["value"]).find(manifest["export_id"]) > 0


def export_of(number: int, **changes: Any) -> dict[str, Any]:
    """Return the summary of an export that was never made."""
    return {
        "destination": f"s3://aws_default@raw/jobs/{number:05}",
        "manifest": f"s3://aws_default@raw/jobs/{number:05}/_MANIFEST.json",
        "export_id": f"made-up-{number}",
        "listing": "talkifai.contacts",
        "rows": number,
        "bytes": 10 * number,
        "parts": 1,
        "status_counts": {"completed": number},
        **changes,
    }


@contextmanager
def inserted(
    stack: Layout, summaries: Iterable[dict[str, Any]], begin: datetime, step: timedelta = timedelta(hours=1)
) -> Iterator[None]:
    """Events of an asset: more than anybody posts one by one, and of any time.

    Their DAG is one that is there, because Airflow 3.3 shows no events of another.
    """
    moments = (begin + number * step for number in itertools.count())
    with closing(sqlite3.connect(stack.folder / "airflow/airflow.db", timeout=120)) as database:
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}"
        asset = database.execute(
            'INSERT INTO asset (name, uri, "group", extra, created_at, updated_at) VALUES (?1, ?1, ?2, ?3, ?4, ?4)',
            ("s3://raw/parsed", "asset", "{}", now),
        ).lastrowid
        database.executemany(
            "INSERT INTO asset_event (asset_id, extra, source_dag_id, source_task_id, source_run_id, source_map_index,"
            " timestamp) VALUES (?1, ?2, ?4, 'results', 'a run', -1, ?3)",
            [
                (asset, json.dumps(summary), f"{moment:%Y-%m-%d %H:%M:%S.%f}", INSERTED)
                for summary, moment in zip(summaries, moments, strict=False)
            ],
        )
        database.commit()
        try:
            yield
        finally:
            database.execute("DELETE FROM asset_event WHERE asset_id = ?", (asset,))
            database.execute("DELETE FROM asset WHERE id = ?", (asset,))
            database.commit()


def parsed(hours: int) -> dict[str, Any]:
    """Return the summary of an export that finished some hours ago."""
    moment = datetime.now(UTC) - timedelta(hours=hours)
    counts = {"ok": 180 + 7 * hours % 60, "partial": hours % 5, "failed": 24 if hours == 11 else hours % 3}
    destination = f"s3://aws_default@raw/parsed/{moment:%Y-%m-%dT%H}"
    return export_of(
        sum(counts.values()),
        destination=destination,
        export_id=f"parsed-{hours}",
        listing="llamacloud.batches (parse)",
        outcomes=counts,
        files={"count": 2 * counts["ok"], "bytes": 9_000_000},
        finished_at=moment.isoformat(),
    )


def test_the_chart_shows_the_outcomes_of_each_export(runs: dict[str, str], stack: Layout, ui: Browser) -> None:
    summaries = [parsed(hours) for hours in range(35, -1, -1)]
    # Their events are the newest, so that they are in the picture.
    with inserted(stack, summaries, datetime.now(UTC), step=timedelta(milliseconds=1)):
        frame = open_page(ui)
        expect(frame.get_by_label("Destination").locator("option:checked")).to_contain_text("s3://raw/parsed")
        expect(frame.locator("#chart g")).to_have_count(36)
        expect(frame.locator("#chart rect.failed")).to_have_count(24)
        expect(frame.locator("#chart .legend li")).to_have_text(["ok", "partial", "failed"])
        ui.page.set_viewport_size({"width": 1280, "height": 1150})
        ui.picture("batches-page")
        ui.page.set_viewport_size(SIZE)
        own = frame.locator("option").filter(has_text="conversations").get_attribute("value")
        frame.get_by_label("Destination").select_option(own)
        expect(frame.locator("#chart g")).to_have_count(2)
        expect(frame.locator("#chart .legend li")).to_have_text(["ok"])


def test_what_a_vendor_says_is_text(runs: dict[str, str], api: AirflowApi, ui: Browser) -> None:
    (asset, *_) = api.call("GET", "/api/v2/assets?limit=1")["assets"]
    hostile = export_of(
        3,
        export_id="hostile",
        destination=f"{HOSTILE}javascript:alert(1)",
        listing=f"{HOSTILE}.{HOSTILE}",
        outcomes={HOSTILE: 2, "ok onload=x": 1, "__proto__": 1},
        files={"count": HOSTILE, "bytes": "NaN"},
        finished_at=HOSTILE,
    )
    api.call("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": hostile})
    wait = dict.fromkeys(("vendor", "batch_id", "since", "deadline"), HOSTILE) | {"page": "javascript:alert(1)"}
    with said(api, runs["waits"], wait):
        frame = open_page(ui)
        expect(rows(frame, "exports").first).to_contain_text(HOSTILE)
        row = rows(frame, "waits").filter(has_text=WAITS)
        expect(row).to_contain_text(HOSTILE)
        expect(row.get_by_role("link")).to_have_text([f"{WAITS} / wait"])
        assert frame.locator("img, body script, [onerror], [onload], [href^=javascript]").count() == 0
        assert ui.page.title() != "taken"


@pytest.fixture
def many(stack: Layout, runs: dict[str, str]) -> Iterator[None]:
    """Exports that are older than all others."""
    with inserted(stack, map(export_of, range(MANY)), datetime.now(UTC) - timedelta(days=300)):
        yield


def test_thousands_of_exports_are_read_page_by_page(many: None, ui: Browser) -> None:
    with ui.page.expect_request(lambda request: "offset=1900" in request.url):
        frame = open_page(ui)
    count = frame.locator("#exports .count")
    expect(count).to_have_text(re.compile(r"^(1,9\d\d|2,000)\+$"))
    expect(rows(frame, "exports")).to_have_count(25)
    expect(rows(frame, "exports").filter(has_text=INSERTED).first.get_by_role("cell").nth(3)).to_have_text("+1")
    for shown in (r"^(3,9\d\d|4,000)\+$", r"^5,0\d\d$"):
        frame.get_by_role("button", name="Load older exports").click()
        expect(count).to_have_text(re.compile(shown))
    expect(frame.get_by_role("button", name="Load older exports")).to_have_count(0)
    frame.get_by_role("button", name="Show more exports").click()
    expect(rows(frame, "exports")).to_have_count(50)
    expect(frame.locator("#chart g")).to_have_count(60)


def test_a_refresh_reads_what_is_new_only(many: None, runs: dict[str, str], api: AirflowApi, ui: Browser) -> None:
    frame = open_page(ui)
    asked: list[str] = []
    ui.page.on("request", lambda request: asked.append(request.url) if "assets/events" in request.url else None)
    (asset, *_) = api.call("GET", "/api/v2/assets?limit=1")["assets"]
    new = export_of(7, export_id="new", destination="s3://aws_default@raw/brand-new")
    api.call("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": new})
    frame.get_by_role("button", name="Refresh").click()
    expect(rows(frame, "exports").first).to_contain_text("brand-new")
    assert len(asked) == 1


@pytest.mark.parametrize("status", [403, 401, 500])
def test_a_section_that_may_not_be_read_says_so_and_leaves_the_others(
    runs: dict[str, str], ui: Browser, status: int
) -> None:
    words = {403: "You may not see this", 401: "You are not logged in any more", 500: "Airflow answered 500: broken"}
    ui.page.route("**/api/v2/assets/events?*", lambda route: route.fulfill(status=status, json={"detail": "broken"}))
    try:
        frame = open_page(ui)
        for section in ("exports", "chart"):
            expect(frame.locator(f"#{section}").get_by_role("alert")).to_contain_text(words[status])
        expect(rows(frame, "waits").first).to_be_visible()
        expect(rows(frame, "failures").first).to_be_visible()
    finally:
        ui.page.unroute("**/api/v2/assets/events?*")


def test_the_token_that_the_ui_of_an_early_airflow_keeps_is_used(
    runs: dict[str, str], api: AirflowApi, ui: Browser
) -> None:
    """Airflow 3.1.0 takes no cookie."""

    def take_no_cookie(route: Route) -> None:
        if "authorization" in route.request.headers:
            route.continue_()
        else:
            route.fulfill(status=401, json={"detail": "Not authenticated"})

    ui.page.route("**/api/v2/assets/events?*", take_no_cookie)
    ui.page.evaluate("token => localStorage.setItem('token', token)", api.token)
    try:
        expect(rows(open_page(ui), "exports").first).to_be_visible()
    finally:
        ui.page.evaluate("localStorage.removeItem('token')")
        ui.page.unroute("**/api/v2/assets/events?*")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_has_the_theme_of_airflow(ui: Browser, theme: str) -> None:
    ui.page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    frame = open_page(ui)
    expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    ui.page.evaluate("localStorage.removeItem('theme')")


def test_the_page_is_in_the_menu(ui: Browser) -> None:
    ui.open("/dags")
    ui.page.get_by_role("button", name="Browse").click()
    ui.page.get_by_role("menuitem", name="Batches").click()
    expect(ui.page.frame_locator("iframe[title=Batches]").get_by_role("heading", name="Batches")).to_be_visible()
