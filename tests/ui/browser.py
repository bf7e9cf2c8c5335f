"""A browser that reaches this machine only, and records the answers."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Response, expect, sync_playwright

from dev.local.layout import PASSWORD, USER

SIZE = {"width": 1280, "height": 900}
SECONDS = 60
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Not by a route of Playwright's, which would turn off the cache.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass
class Browser:
    """A page of Airflow's UI.

    :param page: the page
    :param url: Airflow's
    :param strangers: requests to other machines, which all fail
    :param answers: the bodies of the API's answers
    """

    page: Page
    url: str
    strangers: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Go to a page of the UI."""
        self.page.goto(f"{self.url}{path}")

    def log_in(self) -> None:
        """Log in as the one user there is."""
        self.open("/")
        self.page.locator("input[name=username]").fill(USER)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("link", name="Dags", exact=True).or_(self.page.get_by_text("Health")).first.wait_for()

    def picture(self, name: str) -> None:
        """Take a screenshot, where the environment names a folder for them."""
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            path = Path(folder) / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=path, animations="disabled")

    def _record_request(self, request: Request) -> None:
        if urlsplit(request.url).hostname not in (None, "127.0.0.1"):
            self.strangers.append(request.url)

    def _record_response(self, response: Response) -> None:
        if "/api/v2/" in response.url:
            with contextlib.suppress(Exception):
                self.answers.append(response.text())


@contextlib.contextmanager
def browser(url: str) -> Iterator[Browser]:
    """Run the system's Chromium.

    :param url: Airflow's
    """
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert executable, "there is no Chromium: make test-ui installs it"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(OPTIONS))
        context = chromium.new_context(viewport=SIZE, locale="en-US", timezone_id="UTC")
        context.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        running = Browser(context.new_page(), url)
        context.on("request", running._record_request)
        context.on("response", running._record_response)
        yield running
        chromium.close()
