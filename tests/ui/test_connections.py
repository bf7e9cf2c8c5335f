"""The forms of our three connection types: they save what is entered, and never give the key back."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from playwright.sync_api import expect

from dev.local.layout import Layout
from tests.ui.browser import Browser


@dataclass(frozen=True)
class Form:
    """What is entered for a vendor."""

    vendor: str
    title: str
    extras: dict[str, str] = field(default_factory=dict)

    @property
    def conn_id(self) -> str:
        return f"{self.vendor}_by_hand"

    @property
    def key(self) -> str:
        return f"a-secret-of-{self.vendor}"


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
    if form.vendor == "talkifai":
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
