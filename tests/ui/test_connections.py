"""The forms of our three connection types: they save and test what is entered, and never give the key back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import requests
from playwright.sync_api import expect

from dev.local.layout import Layout
from tests.ui.browser import Browser


@dataclass(frozen=True)
class Form:
    """What is entered for a vendor."""

    vendor: str
    title: str
    extras: dict[str, str] = field(default_factory=dict)
    name: str = "by_hand"
    key: str = "a-secret-key"

    @property
    def conn_id(self) -> str:
        return f"{self.vendor}_{self.name}"


FORMS = (
    Form("playment", "TELUS/Playment", {"project_id": "4134a841", "max_attempts": "4"}),
    Form("llamacloud", "LlamaCloud", {"project_id": "prj-1", "organization_id": "org-1", "read_timeout": "30"}),
    Form("talkifai", "TalkifAI", {"organization_id": "org_1fc47773", "requests_per_minute": "60"}),
)


def add(ui: Browser, stack: Layout, form: Form) -> None:
    """Add a connection as a person does."""
    ui.open("/connections")
    ui.page.get_by_role("button", name="Add Connection").click()
    dialog = ui.page.get_by_role("dialog")
    dialog.locator("input[name=connection_id]").fill(form.conn_id)
    dialog.get_by_role("combobox").first.click()
    ui.page.keyboard.type(form.title)
    ui.page.get_by_role("option", name=form.title, exact=True).click()
    dialog.locator("input[name=host]").fill(stack.sandbox_url)
    dialog.locator("input[name=password]").fill(form.key)
    port = dialog.locator("input[name=port]")
    port.fill((port.get_attribute("placeholder") or "").split()[0])
    if form.conn_id == "talkifai_by_hand":
        ui.picture("connection-form")
    dialog.get_by_text("Extra Fields", exact=True).click()
    for name, value in form.extras.items():
        dialog.locator(f"input[name=element_{name}]").fill(value)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.vendor)
def test_a_connection_is_added_and_its_key_comes_back_masked(ui: Browser, stack: Layout, form: Form) -> None:
    add(ui, stack, form)
    row = ui.page.get_by_role("row").filter(has_text=form.conn_id)
    expect(row).to_contain_text(form.vendor)
    row.get_by_role("button", name="Edit Connection").click()
    dialog = ui.page.get_by_role("dialog")
    expect(dialog.locator("input[name=password]")).to_have_value("***")
    expect(dialog.locator("input[name=host]")).to_have_value(stack.sandbox_url)
    dialog.get_by_text("Extra Fields", exact=True).click()
    for name, value in form.extras.items():
        expect(dialog.locator(f"input[name=element_{name}]")).to_have_value(value)
    assert any(form.conn_id in answer for answer in ui.answers)
    assert not [answer for answer in ui.answers if form.key in answer]
    assert form.key not in ui.page.content()


def press_test(ui: Browser, form: Form) -> tuple[bool, str]:
    """Press the button that tests a connection, and return what the API answers once the page shows it."""
    row = ui.page.get_by_role("row").filter(has_text=form.conn_id)
    with ui.page.expect_response(lambda answer: answer.url.endswith("/connections/test")) as answer:
        row.get_by_role("button", name="Test Connection").click()
    said = answer.value.json()
    expect(ui.page.get_by_role("status").filter(has_text=said["message"])).to_be_visible()
    return said["status"], said["message"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.vendor)
def test_a_connection_is_tested_by_the_button_beside_it(ui: Browser, stack: Layout, form: Form) -> None:
    """It needs the port that the form asks for: without it, Airflow 3.3 answers "Bad Request"."""
    facts = requests.get(stack.sandbox_url, headers={"Accept": "application/json"}, timeout=60).json()[form.vendor]
    needed = {name: facts[name] for name in ("project_id", "organization_id") if name in facts}
    form = replace(form, name="tested", key=facts["api_key"], extras=needed)
    add(ui, stack, form)
    assert press_test(ui, form) == (True, f"{form.title} answered and accepted the API key.")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form("playment", "TELUS/Playment", {}, "without_a_project"), "Set Project ID here to test this connection."),
        (Form("llamacloud", "LlamaCloud", {}, "of_a_stranger"), "the API key (password) of this connection is right"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_button_shows_what_is_wrong_with_this_connection(
    ui: Browser, stack: Layout, form: Form, message: str
) -> None:
    add(ui, stack, form)
    worked, said = press_test(ui, form)
    assert not worked
    assert message in said
