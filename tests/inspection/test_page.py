"""The page of `quickpickle inspect --html`, in a headless Chromium: it is used as a person would.

Needs Debian's packages chromium and chromium-driver (or Chromium and ChromeDriver in the PATH).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quickpickle
from models import Call
from quickpickle.cli import main

pytest.importorskip("plotly", reason="the page is not tested: plotly is not installed")
webdriver = pytest.importorskip("selenium.webdriver", reason="not tested: no selenium")

from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from quickpickle.inspection.page import MOST_BOXES, _boxes, make_page, write_page  # noqa: E402

pytestmark = pytest.mark.slow  # a browser starts, and the page does not depend on the interpreter

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="the page is not tested in a browser: no chromium"
)

HOSTILE = [
    "</script><script>document.title='caught'</script>",
    "<img src=x onerror=\"document.title='caught'\">",
    "<a href='javascript:alert(1)'>link</a>",
    "<b>bold</b> &amp; $x^2$ %{label}",
    "\u2028{{data}}{{script}}\u202e",
]


def make_object() -> Any:
    return {
        "images": {"first": b"x" * 6000, "second": b"y" * 2000},
        "numbers": list(range(2000)),
        "names": [f"name {i}" for i in range(300)],
        "call": Call(os.system, "true"),
        "hostile": {text: [text] * 2 for text in HOSTILE},
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("page")
    file = directory / "shop <b>&.pickle"
    file.write_bytes(pickle.dumps(make_object(), 5))
    path = directory / "page.html"
    assert main(["inspect", str(file), "--html", str(path)]) == 0
    return path


def data_of(page: str) -> Any:
    return json.loads(
        re.search(r'<script id="data" type="application/json">(.*?)</script>', page)[1]
    )


# --- what is in it


def test_the_sums_of_the_boxes_are_right() -> None:
    inspection = quickpickle.inspect(pickle.dumps([make_object() for _ in range(100)], 5))
    boxes = _boxes(inspection, "name")
    assert boxes[0][6] == inspection.size
    assert 1000 < len(boxes) < MOST_BOXES + 100
    below = [0] * len(boxes)
    for parent, *_, total, _ in boxes[1:]:
        below[parent] += total
    for box, total in zip(boxes, below, strict=True):
        # All children of an opened node are there, and none of a closed one.
        assert total in (0, box[6] - box[5])
    for i, box in enumerate(boxes):
        assert box[0] < i


def test_hostile_text_is_only_data(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.count("<script") - text.count('"<script') >= 3
    found = data_of(text)
    assert any(HOSTILE[0] in box[2] for box in found["boxes"])
    assert HOSTILE[0] not in text
    assert "<img src=x" not in text
    assert "shop &lt;b&gt;&amp;.pickle" in text


def test_a_broken_file_and_an_empty_one() -> None:
    data = pickle.dumps(make_object())
    assert "at offset" in data_of(make_page(quickpickle.inspect(data[:-500]), "x"))["error"]
    assert data_of(make_page(quickpickle.inspect(b""), "x"))["boxes"][0][6] == 0


# --- in the browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync "
        f"--window-size=1360,1000 --user-data-dir={tmp_path_factory.mktemp('profile')}"
    ).split():
        options.add_argument(argument)
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    browser.get_log("browser")
    browser.get(page.as_uri())
    wait(browser, lambda: browser.execute_script("return document.body.dataset.ready"))
    yield browser
    # No error, nothing that the policy had to stop, and nothing from the file was run.
    assert browser.get_log("browser") == []
    assert "caught" not in browser.title


def wait(browser: Any, condition: Any) -> None:
    WebDriverWait(browser, 30).until(lambda _: condition())


def text(browser: Any, name: str) -> str:
    return str(browser.find_element(By.ID, name).get_attribute("textContent"))


def box(browser: Any, label: str) -> Any:
    """The box of the chart with this label, to be clicked on."""
    wait(browser, lambda: _find_box(browser, label))
    return _find_box(browser, label)


def _find_box(browser: Any, label: str) -> Any:
    return browser.execute_script(
        """
        const has = (slice) => slice.querySelector("text")?.textContent.startsWith(arguments[0]);
        const slices = [...document.querySelectorAll("#chart g.slice")];
        return slices.find(has)?.querySelector("path.surface");
        """,
        label,
    )


@needs_browser
def test_the_figures(opened: Any) -> None:
    found = quickpickle.inspect(pickle.dumps(make_object(), 5))
    assert text(opened, "name").endswith("shop <b>&.pickle")
    assert f"{found.objects:,} objects" in text(opened, "summary")
    assert text(opened, "total") == f"{found.size:,} (100.0 %)"
    imports = opened.find_elements(By.CSS_SELECTOR, "#imports tbody tr")
    assert "runs commands" in imports[0].text
    types = opened.find_element(By.ID, "types").text
    assert f"{found.types[0].own:,}" in types


@needs_browser
def test_clicking_zooms(opened: Any) -> None:
    box(opened, "['images']").click()
    assert text(opened, "path") == "obj['images']"
    wait(opened, lambda: "['first']" in opened.find_element(By.ID, "children").text)
    box(opened, "['first']").click()
    assert text(opened, "path") == "obj['images']['first']"
    assert text(opened, "type") == "bytes"
    assert text(opened, "own").startswith("6,006 (")  # BINBYTES, 4 bytes of length, MEMOIZE
    # The box at the top leads back.
    box(opened, "['images']").click()
    assert text(opened, "path") == "obj['images']"
    assert opened.find_element(By.CSS_SELECTOR, "#trail [aria-current]").text == "obj"


@needs_browser
def test_the_keyboard(opened: Any) -> None:
    chart = opened.find_element(By.ID, "chart")
    chart.send_keys(Keys.ARROW_DOWN)
    assert text(opened, "path") == "obj"
    chart.send_keys(Keys.ARROW_DOWN)
    first = text(opened, "path")
    chart.send_keys(Keys.ARROW_RIGHT)
    assert text(opened, "path") != first
    chart.send_keys(Keys.ARROW_LEFT)
    assert text(opened, "path") == first
    chart.send_keys(Keys.ENTER)
    trail = "#trail [aria-current]"
    assert opened.find_element(By.CSS_SELECTOR, trail).text == first.removeprefix("obj")
    chart.send_keys(Keys.ESCAPE)
    assert opened.find_element(By.CSS_SELECTOR, trail).text == "obj"
    chart.send_keys(Keys.HOME)
    assert text(opened, "total").endswith("(100.0 %)")


@needs_browser
def test_searching(opened: Any) -> None:
    opened.find_element(By.TAG_NAME, "body").send_keys("/")
    search = opened.find_element(By.ID, "search")
    assert opened.switch_to.active_element == search
    search.send_keys("SECOND")
    found = opened.find_elements(By.CSS_SELECTOR, "#found [role=option]")
    assert "obj['images']['second']" in [item.text.splitlines()[0] for item in found]
    search.send_keys(Keys.ENTER)
    assert text(opened, "path") == "obj['images']['second']"
    assert opened.switch_to.active_element == opened.find_element(By.ID, "chart")
    search.clear()
    search.send_keys("no such thing")
    assert "Nothing found" in opened.find_element(By.ID, "found").text
    search.send_keys(Keys.ESCAPE)
    # The search by type, from the table.
    opened.find_element(By.XPATH, "//table[@id='types']//button[normalize-space()='bytes']").click()
    assert search.get_attribute("value") == "bytes"
    assert len(opened.find_elements(By.CSS_SELECTOR, "#found [role=option]")) == 2


@needs_browser
def test_hostile_text_is_shown_as_it_is(opened: Any) -> None:
    search = opened.find_element(By.ID, "search")
    search.send_keys("hostile")
    search.send_keys(Keys.ENTER)
    assert text(opened, "path") == "obj['hostile']"
    children = opened.find_element(By.ID, "children").text
    assert "<img src=x" in children
    labels = text(opened, "chart")  # with those that their boxes have no place for
    assert "<b>bold</b> &amp; $x^2$ %{label}" in labels
    assert opened.find_elements(By.CSS_SELECTOR, "#chart img, #chart a, #chart b") == []


@needs_browser
def test_light_and_dark(opened: Any) -> None:
    def background() -> str:
        return str(opened.execute_script("return getComputedStyle(document.body).backgroundColor"))

    light = background()
    opened.find_element(By.ID, "theme").click()
    dark = background()
    assert light != dark
    opened.find_element(By.ID, "theme").click()
    assert background() == light
    media = "Emulation.setEmulatedMedia"
    opened.execute_cdp_cmd(media, {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    wait(opened, lambda: background() == dark)
    opened.execute_cdp_cmd(media, {"features": []})
    wait(opened, lambda: background() == light)


@needs_browser
def test_labels_can_be_read(browser: Any, tmp_path: Path) -> None:
    """A box that is too narrow for its label has none."""
    obj = {"wide": bytes(100_000), "a narrow box": bytes(3000), "one more": bytes(1500)}
    page = tmp_path / "page.html"
    write_page(page, quickpickle.inspect(pickle.dumps(obj, 5)), "obj.pickle")
    browser.get(page.as_uri())
    wait(browser, lambda: browser.execute_script("return document.body.dataset.ready"))
    script = """
        const slices = [...document.querySelectorAll("#chart g.slice")];
        return slices.map((slice) => [
          slice.querySelector("path.surface").getBoundingClientRect().width,
          slice.querySelector("text")?.getBoundingClientRect().height || 0,
        ]);
    """
    wait(browser, lambda: len(browser.execute_script(script)) >= 5)
    time.sleep(1)  # the boxes grow to their size
    found = browser.execute_script(script)
    assert [height for width, height in found if 0 < width < 30] == [0, 0]
    assert all(height > 25 for width, height in found if width > 300)  # two lines


@needs_browser
def test_the_treemap(opened: Any) -> None:
    opened.find_element(By.ID, "kind").click()
    box(opened, "['images']").click()
    assert text(opened, "path") == "obj['images']"
    opened.find_element(By.ID, "kind").click()
    assert box(opened, "['first']")
