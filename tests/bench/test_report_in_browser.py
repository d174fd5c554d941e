"""The report's page in a browser: on a phone and a wide screen, in the light and in the dark."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlparse

import pandas as pd
import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.subprocess,
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with chromedriver"),
]

LETTERS = """
return [...document.querySelectorAll("figure svg text")].map((text) => {
  const scale = text.getScreenCTM();
  return parseFloat(getComputedStyle(text).fontSize) * Math.hypot(scale.a, scale.b);
});
"""
"""Pixels of the letters of all figures, as they are on the screen."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, benched):
    """page(width, dark): the report on a screen of so many pixels."""

    def page(width: int, dark: bool = False):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get((benched / "try" / "report.html").as_uri())
        return browser

    return page


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_no_wider_than_the_screen(page, width):
    browser = page(width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return visualViewport.scale") == 1
    boxes = browser.find_elements(By.CSS_SELECTOR, ".wide, figure")
    assert len(boxes) > 4
    for box in boxes:
        assert box.rect["x"] >= 0
        assert box.rect["x"] + box.rect["width"] <= width


def test_a_wide_table_scrolls_in_its_box_and_keeps_its_rows_names(page):
    browser = page(390)
    box = browser.find_element(By.CSS_SELECTOR, ".wide")
    browser.execute_script("arguments[0].scrollLeft = 200", box)
    assert browser.execute_script("return arguments[0].scrollLeft", box) == 200
    name = box.find_element(By.CSS_SELECTOR, "tbody th")
    assert name.rect["x"] == pytest.approx(box.rect["x"], abs=1)


@pytest.mark.parametrize("width", [390, 1280])
def test_letters_of_figures_can_be_read(page, width):
    letters = page(width).execute_script(LETTERS)
    assert len(letters) > 50
    assert min(letters) >= 9


def test_the_page_and_its_figures_follow_dark_mode(page):
    seen = {}
    for dark in (False, True):
        browser = page(1280, dark)
        body = browser.find_element(By.TAG_NAME, "body")
        text = browser.find_element(By.CSS_SELECTOR, "figure svg text")
        paper, ink = (body.value_of_css_property(of) for of in ("background-color", "color"))
        assert text.value_of_css_property("fill") == ink.replace("rgba", "rgb").replace(", 1)", ")")
        seen[dark] = brightness(paper), brightness(ink)
    assert seen[False][0] > 240
    assert seen[False][1] < 60
    assert seen[True][0] < 60
    assert seen[True][1] > 200


def brightness(colour: str) -> float:
    """Mean of red, green and blue of ``rgba(r, g, b, a)``."""
    return sum(float(each) for each in colour.split("(")[1].split(",")[:3]) / 3


def test_a_click_sorts_numbers_as_numbers_and_a_key_the_other_way(page):
    browser = page(1280)
    table = browser.find_element(
        By.XPATH, "//h3[contains(., 'Differences from')]/following::table[1]"
    )
    heads = table.find_elements(By.CSS_SELECTOR, "thead tr:last-child th")
    [column] = [n for n, head in enumerate(heads) if head.text.endswith("p")]

    def shown() -> list[float]:
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        return [float(row.find_elements(By.CSS_SELECTOR, "th, td")[column].text) for row in rows]

    before = shown()
    assert before != sorted(before)
    button = heads[column].find_element(By.TAG_NAME, "button")
    button.click()
    assert shown() == sorted(before)
    assert heads[column].get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.ENTER)
    assert shown() == sorted(before, reverse=True)
    assert heads[column].get_attribute("aria-sort") == "descending"
    heads[0].find_element(By.TAG_NAME, "button").click()
    sorted_by = [head.get_attribute("aria-sort") for head in heads]
    assert sorted_by == ["ascending", *[None] * (len(heads) - 1)]


def test_figures_with_what_stands_behind_them_sort_by_value(page):
    browser = page(1280)
    table = browser.find_element(By.TAG_NAME, "table")
    cells = ["0.0900† ± 0.0001", "0.1000", "not run", "1,200", "-3.1% (-4.2%)", "6e-06"]
    browser.execute_script(
        "arguments[0].tBodies[0].innerHTML = arguments[1].map((c) => `<tr><th>r</th><td>${c}</td></tr>`).join('')",
        table, cells,
    )  # fmt: skip
    button = table.find_element(By.CSS_SELECTOR, "thead tr:last-child th:nth-child(2) button")
    upwards = ["-3.1% (-4.2%)", "6e-06", "0.0900† ± 0.0001", "0.1000", "1,200"]
    for expected in (upwards, upwards[::-1]):
        button.click()
        shown = [each.text for each in table.find_elements(By.CSS_SELECTOR, "tbody td")]
        assert shown == [*expected, "not run"]


def test_links_lead_to_the_csvs_and_nothing_else_is_loaded(page, benched):
    browser = page(390)
    links = [each.get_attribute("href") for each in browser.find_elements(By.TAG_NAME, "a")]
    paths = [Path(unquote(urlparse(link).path)) for link in links]
    tables = {path for path in paths if path.suffix == ".csv"}
    assert tables == set((benched / "try" / "tables").glob("*.csv"))
    assert all(len(pd.read_csv(path)) for path in tables)
    assert all(path.is_file() for path in paths)
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
