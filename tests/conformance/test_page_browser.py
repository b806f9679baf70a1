"""The page in a real browser: from the matrix to a script. Asked for with ``-m browser``; without a browser it fails and says so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.cases import Case
from conformance.grids import grid
from conformance.outcomes import Outcome, Verdict
from conformance.page import page
from conformance.records import Writer, case_record
from conformance.results import read

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def bug(case: Case) -> bool:
    return case.layer == "conv2d_transpose" and case.padding == "same" and case.strides[0] == 3


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of two runs, one of which has a bug that the other has not."""
    folder = tmp_path_factory.mktemp("page")
    runs = []
    for keras, wrong in (("3.11.3", bug), ("3.15.1", lambda case: False)):
        results = Writer(folder / f"{keras}.jsonl", "smoke", ("eager",))
        results.environment({"keras": keras, "backend": "torch", "versions": {"torch": "2.13.0"}, "flags": {}})
        for case in grid("smoke"):
            verdict = Verdict(Outcome.WRONG_VALUE, "6 of 12 elements differ <b>\nX.\n..") if wrong(case) else Verdict(Outcome.CONFORMS)
            results.case(case_record(case, "forward", "eager", verdict, None, 0.1))
        results.close(complete=True)
        runs.append(read(folder / f"{keras}.jsonl"))
    (folder / "page.html").write_text(page(runs), encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser without a window, and nothing in it that talks to a network."""
    browser, chromedriver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if browser is None or chromedriver is None:
        pytest.fail(f"the browser test needs chromedriver and one of {', '.join(BROWSERS)} (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--window-size=1200,900",
    ):  # fmt: skip
        options.add_argument(argument)
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield found
    found.quit()


def wait(driver: Any, condition: str) -> Any:
    """The value of a JavaScript expression as soon as it is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 20).until(lambda found: found.execute_script(f"return {condition}"))


def open_page(driver: Any, address: str) -> None:
    driver.get("about:blank")
    driver.get(address)
    wait(driver, "document.documentElement.dataset.ready")


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def complaints(driver: Any) -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_from_the_matrix_to_a_script(driver: Any, address: str) -> None:
    open_page(driver, address)
    number = sum(bug(case) for case in grid("smoke"))
    cell = find(driver, '[data-key="matrix-0-1-1"]')
    assert cell.get_attribute("aria-label").startswith(f"Conv2DTranspose, same, Keras 3.11.3, torch 2.13.0: {number} of ")
    assert "all" in find(driver, '[data-key="matrix-1-1-1"]').get_attribute("aria-label")  # the other run conforms
    assert "Conv2DTranspose with padding same where the height has stride" in find(driver, "#runs").text
    cell.click()
    wait(driver, "document.activeElement.id === 'heat-heading'")
    assert "6 of" not in find(driver, "#heat").text
    find(driver, '[data-key="heat-2-3"]').click()
    wait(driver, "document.activeElement.id === 'list-heading'")
    case = find(driver, "#list button.link")
    name = case.text
    assert "s3x" in name or "x3" in name
    case.click()
    wait(driver, "document.activeElement.id === 'case-heading'")
    assert find(driver, "#case-heading").text == name
    assert "6 of 12 elements differ <b>" in find(driver, "#case").text  # as text, not as markup
    assert len(driver.find_elements("css selector", "#case svg")) == 3  # where it differs, and two axes
    script = next(each.text for each in driver.find_elements("css selector", "#case pre") if "import numpy" in each.text)
    compile(script, "script", "exec")
    assert 'os.environ["KERAS_BACKEND"] = "torch"' in script
    assert "keras.layers.Conv2DTranspose(" in script
    button = find(driver, "#case button.copy")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    wait(driver, "document.querySelector('#case button.copy').textContent === 'Copied'")
    assert complaints(driver) == []


def test_a_link_leads_back_to_where_it_was_made(driver: Any, address: str) -> None:
    open_page(driver, address)
    find(driver, '[data-key="matrix-0-1-1"]').click()
    wait(driver, "!document.getElementById('list-section').hidden")
    find(driver, "#list button.link").click()
    wait(driver, "!document.getElementById('case-section').hidden")
    name, link = find(driver, "#case-heading").text, driver.current_url
    assert "#" in link
    open_page(driver, link)
    assert find(driver, "#case-heading").text == name
    assert find(driver, '[data-key="matrix-0-1-1"]').get_attribute("aria-pressed") == "true"
    driver.execute_script(
        "history.pushState(null, '', '#run=99&layer=-1&case=nonsense&axis=up&k=x'); dispatchEvent(new Event('hashchange'))"
    )
    assert not find(driver, "#case-section").is_displayed()
    assert complaints(driver) == []


def test_filters_narrow_the_matrix_and_the_list(driver: Any, address: str) -> None:
    open_page(driver, address)
    find(driver, "#query").send_keys("transpose s3x channels_first")
    wait(driver, "location.hash.includes('q=')")
    number = sum(
        case.layer == "conv2d_transpose" and case.strides[0] == 3 and case.data_format == "channels_first" for case in grid("smoke")
    )
    wait(driver, f"document.getElementById('status').textContent === '{number} cases listed'")
    assert driver.find_elements("css selector", '[data-key="matrix-0-0-"]') == []  # no case of the other layer is left
    find(driver, "#reset").click()
    wait(driver, "location.hash === '' || location.hash === '#'")
    find(driver, '#outcome option[value="wrong_value"]').click()
    wait(driver, f"document.getElementById('status').textContent === '{sum(bug(case) for case in grid('smoke'))} cases listed'")
    assert complaints(driver) == []


def test_by_keyboard_alone(driver: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    open_page(driver, address)
    driver.execute_script("document.querySelector('[data-key=\"matrix-0-1-\"]').focus()")
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert driver.switch_to.active_element.get_attribute("data-key") == "matrix-0-1-1"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait(driver, "document.activeElement.id === 'heat-heading'")
    find(driver, "#list button.link").send_keys(Keys.ENTER)
    wait(driver, "document.activeElement.id === 'case-heading'")
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(driver, "document.getElementById('case-section').hidden && document.activeElement.id === 'list-heading'")
    assert complaints(driver) == []


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_in_both_themes(driver: Any, address: str, width: int, theme: str) -> None:
    """Nothing is wider than the screen but what scrolls in itself, and text stands out from its ground."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    )
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    try:
        open_page(driver, address)
        find(driver, '[data-key="matrix-0-1-1"]').click()
        wait(driver, "!document.getElementById('list-section').hidden")
        find(driver, "#list button.link").click()
        wait(driver, "!document.getElementById('case-section').hidden")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        ground, text = (driver.execute_script(f"return getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        levels = [sum(int(part) for part in colour[4:-1].split(",")) for colour in (ground, text)]
        assert (levels[0] < levels[1]) == (theme == "dark")
        assert abs(levels[0] - levels[1]) > 500
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
