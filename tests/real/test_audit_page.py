"""The audit's page in a real browser: it loads, filters, opens every cell, by mouse and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.audit.page import draw_page
from harness.audit.results import Audit
from harness.scenarios import Verdict
from tests.harness.audit import made
from tests.support.programs import need

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

FAIL, PASS, INFO = Verdict.FAIL, Verdict.PASS, Verdict.INFO


def an_audit() -> Audit:
    rows = [("time-wait-side", PASS), ("half-close-request", FAIL), ("fin-never-comes", INFO)]
    return made.audit(
        [
            made.result(
                made.cell(subject, name), made.outcome(verdict, verdict, scenario=name, output=made.HOSTILE)
            )
            for subject in ("alpha", "beta")
            for name, verdict in rows
        ]
    )


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    need("chromium", "chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new",
        "--no-sandbox",  # it runs as root here, and shows nothing but our own page
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: WebDriver, tmp_path: Path) -> Iterator[WebDriver]:
    file = tmp_path / "index.html"
    file.write_text(draw_page(an_audit()), encoding="utf-8")
    view(browser, width=1280)
    browser.get(file.as_uri())
    yield browser
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def view(browser: WebDriver, *, width: int, scheme: str = "light") -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def found(browser: WebDriver, css: str) -> list[WebElement]:
    return browser.find_elements("css selector", css)


def visible(browser: WebDriver, css: str) -> list[WebElement]:
    return [element for element in found(browser, css) if element.is_displayed()]


def press(browser: WebDriver, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: WebDriver) -> str:
    label: str = browser.execute_script("return document.activeElement.getAttribute('aria-label') || ''")
    return label


def test_every_cell_opens_its_evidence_with_its_drawings(page: WebDriver) -> None:
    assert not visible(page, "article")
    cells = found(page, ".matrix td a")
    assert len(cells) == 6
    for cell in cells:
        cell.click()
        (article,) = visible(page, "article")
        assert article.get_attribute("id") == (cell.get_attribute("href") or "").partition("#")[2]
        assert "to repeat it" in article.text.lower()
        page.execute_script(
            "for (const each of arguments[0].querySelectorAll('img')) each.loading = 'eager'", article
        )
        pictures = article.find_elements("css selector", "img")
        assert pictures
        drawn = "return Promise.all([...arguments].map((each) => each.decode())).then(() => 'drawn')"
        assert page.execute_script(drawn, *pictures) == "drawn"
        (close,) = visible(page, "article .close")
        close.click()
        assert not visible(page, "article")


def test_the_keyboard_moves_opens_and_closes(page: WebDriver) -> None:
    from selenium.webdriver import Keys

    page.execute_script("document.querySelector('.matrix td a').focus()")
    first = focused(page)
    press(page, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert focused(page).startswith("beta/")
    press(page, Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert focused(page) == first
    press(page, Keys.ENTER)
    assert len(visible(page, "article")) == 1
    press(page, Keys.ESCAPE)
    assert not visible(page, "article")
    assert focused(page) == first
    press(page, "/")
    assert page.execute_script("return document.activeElement.id") == "find"


def test_filters_by_word_subject_and_verdict(page: WebDriver) -> None:
    rows = ".matrix tr.row"
    assert len(visible(page, rows)) == 3
    (find,) = found(page, "#find")
    find.send_keys("half")
    assert [row.get_attribute("data-name") for row in visible(page, rows)] == [
        "half-close-request:answer_delay=0 The client half-closes behind its request"
    ]
    assert found(page, "#shown")[0].text == "1 of 3 rows"
    find.clear()
    find.send_keys("alpha")
    assert len(visible(page, rows)) == 3
    (box,) = found(page, ".filters input[value=fail]")
    box.click()
    assert len(visible(page, rows)) == 2


def test_an_address_with_a_cell_opens_that_cell(page: WebDriver) -> None:
    page.get(f"{page.current_url}#cell-2")
    assert [article.get_attribute("id") for article in visible(page, "article")] == ["cell-2"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(page: WebDriver, scheme: str) -> None:
    view(page, width=390, scheme=scheme)
    wide = "return document.documentElement.scrollWidth - window.innerWidth"
    assert page.execute_script(wide) <= 0
    found(page, ".matrix td a")[0].click()
    assert page.execute_script(wide) <= 0
    paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
