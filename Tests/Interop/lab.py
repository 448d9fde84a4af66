"""The lab page as a person uses it: by what stands on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

# A net: what is waited for comes at once, on a loaded machine later.
TIMEOUT = 60


class Lab:
    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        browser.get(address)
        self.wait(lambda: self.value("url") != "" or self["environment"].is_displayed(), "the page loaded its server")

    def __getitem__(self, element: str) -> WebElement:
        return self.browser.find_element(By.ID, element)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def value(self, element: str) -> str:
        return self[element].get_property("value")

    def wait(self, condition: Callable[[], object], what: str, timeout: float = TIMEOUT) -> None:
        WebDriverWait(self.browser, timeout, 0.05).until(lambda _: condition(), what)

    def fill(self, element: str, text: object) -> None:
        self[element].clear()
        self[element].send_keys(str(text))

    def choose(self, name: str, value: str) -> None:
        """One of a group of radio buttons."""
        self.all(f'input[name="{name}"][value="{value}"]')[0].click()

    def endpoint(self, text: str) -> None:
        Select(self["endpoint"]).select_by_visible_text(text)

    @property
    def state(self) -> str:
        return self["status"].get_attribute("data-state")

    @property
    def cause(self) -> str | None:
        return self["status"].get_attribute("data-cause")

    @property
    def status(self) -> str:
        return self["state-text"].text

    def connect(self, until: str = "open") -> None:
        self["connect"].click()
        self.wait(lambda: self.state == until, f"the session is {until}")

    def send(self, message: str) -> None:
        self.fill("message", message)
        self["send"].click()

    def log(self, kind: str, direction: str | None = None) -> list[str]:
        """The texts of the log's rows, read in one step because rows come and go."""
        return self.browser.execute_script(
            """const [kind, direction] = arguments;
            return Array.from(document.querySelectorAll("#log li"))
              .filter((row) => row.dataset.kind === kind && (direction === null || row.dataset.direction === direction))
              .map((row) => row.querySelector(".text").textContent);""",
            kind, direction)

    def expect_log(self, kind: str, direction: str, text: str) -> None:
        self.wait(lambda: any(text in line for line in self.log(kind, direction)), f"{kind} {direction}: {text}")

    def scenario(self, value: str) -> None:
        Select(self["scenario"]).select_by_value(value)

    def compare(self, timeout: float = 240, **settings: float) -> None:
        for name, number in settings.items():
            self.fill(name.replace("_", "-"), number)
        self["run"].click()
        self.wait(lambda: self["comparison"].get_attribute("aria-busy") == "false", "the comparison ended", timeout)

    def transports(self, *chosen: str) -> None:
        for box in self.all("#comparison-transports input:enabled"):
            if box.is_selected() != (box.get_attribute("value") in chosen):
                box.click()

    def download(self, directory: Path) -> dict:
        """The file that the page offers, which the browser saves there."""
        self.browser.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(directory)})
        self["download"].click()
        self.wait(lambda: list(directory.glob("*.json")), "the file was saved")
        return json.loads(next(directory.glob("*.json")).read_text())

    def rows(self, table: str) -> dict[str, list[str]]:
        return {
            row.get_attribute("data-id"): [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
            for row in self[table].find_elements(By.CSS_SELECTOR, "tbody tr[data-id]")
        }
