"""The page in a real browser, served by the real application on the toy engine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
pytest.importorskip("playwright")
CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip("needs Debian's Chromium", allow_module_level=True)

from fastapi import FastAPI  # noqa: E402
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright  # noqa: E402

from reasoning import Solver  # noqa: E402
from reasoning.engine.toy import ToyEngine  # noqa: E402
from reasoning.runs import open_run  # noqa: E402
from reasoning.serve.app import STATIC  # noqa: E402
from tests.reasoning.engine.web import bytewise  # noqa: E402
from tests.reasoning.serve import serving, test_reader  # noqa: E402

QUESTION = "What is 3 + 4 - 2 + 6 + 5?"
HTML = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script> & 2 + 3?"
OTHER = "https://example.org"
PATIENCE = 60_000  # milliseconds; the machine may be busy
SCREENSHOTS = os.environ.get("STEPSOLVER_SCREENSHOTS")  # a folder that keeps the pictures, docs/images for ours
expect.set_options(timeout=PATIENCE)


class Served(NamedTuple):
    """A running server."""

    url: str
    app: FastAPI


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition, with a bound."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two saved runs of the toy policy; one question is markup, and one is longer than the context."""
    root = tmp_path_factory.mktemp("page")
    rows = [{"question": f"What is {i} + 4 - 2 + {i + 1}?", "answer": f"#### {2 * i + 3}"} for i in range(7)]
    rows += [{"question": HTML, "answer": "#### 5"}, {"question": "What is 1 + 2? " * 900, "answer": "#### 3"}]
    (root / "gsm8k").mkdir()
    (root / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEPSOLVER_DATA", str(root))  # the server judges again what the curves are made of
        for name, method in (("sums-beam", "beam"), ("sums-mcts", "mcts")):
            with (
                Solver("gsm8k", method, ToyEngine(error=0.1), profile="lines", max_tokens_per_problem=800) as solver,
                open_run(name, solver.describe(), resume=False, root=root / "runs") as run,
            ):
                solver.run(run=run)
        yield root / "runs"


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Served]:
    with serving.server(ToyEngine(error=0.3, latency=0.002), runs=runs) as (url, app):
        yield Served(url, app)


@pytest.fixture(scope="module")
def browser(runs: Path) -> Iterator[Browser]:  # after the runs: a loop of Playwright's runs in this thread from here on
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; whatever one of them complains of, a refused script or style above all, fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # The browser itself notes every answer that is not a success, and that a test could not reach another host.
    assert [one for one in complaints if not one.startswith("Failed to load resource") and OTHER not in one] == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page()


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """A picture of the page as it stands; in the documentation it has few colours, to be small."""
    path = Path(SCREENSHOTS or tmp_path) / f"{name}.png"
    page.evaluate("() => new Promise((done) => setTimeout(done, 400))")  # nodes glide to their places
    page.screenshot(path=path, full_page=True)
    if SCREENSHOTS:
        image = pytest.importorskip("PIL.Image").open(path)
        image.convert("RGB").quantize(192).save(path, optimize=True)
    assert path.stat().st_size < (150_000 if SCREENSHOTS else 500_000)


def open_ask(page: Page, server: Served, question: str = QUESTION) -> None:
    page.goto(f"{server.url}/")
    page.get_by_label("Question", exact=True).fill(question)


def search(page: Page, server: Served, question: str = QUESTION) -> None:
    """Ask, and wait for both strategies."""
    open_ask(page, server, question)
    page.get_by_role("button", name="Search").click()
    for side in ("A", "B"):
        expect(panel(page, side).locator(".status")).to_have_text("done", timeout=PATIENCE)


def panel(page: Page, side: str) -> Locator:
    return page.get_by_role("article", name=f"Strategy {side}")


def formulate(page: Page, server: Served, example: str = "A workshop") -> None:
    page.goto(f"{server.url}/#/formulate")
    page.get_by_label("Example").select_option(example)
    page.get_by_role("button", name="Formulate and solve").click()
    expect(page.locator(".headline")).to_be_visible(timeout=2 * PATIENCE)  # the first time, solvers load


# ---- ask -------------------------------------------------------------------------------------------------------------


def test_two_strategies_answer_side_by_side_and_their_costs_are_compared(
    page: Page, server: Served, tmp_path: Path
) -> None:
    search(page, server)
    for side in ("A", "B"):
        assert re.search(r"Answer\s*-?\d+", panel(page, side).locator(".answer").inner_text())
    costs = page.get_by_role("table", name="What it cost")
    header = costs.get_by_role("columnheader").all_inner_texts()
    assert [name.strip() for name in header[1:]] == ["A: toy/beam", "B: toy/mcts", "B / A"]
    written = costs.get_by_role("row").filter(has_text="completion tokens").get_by_role("cell").all_inner_texts()
    a, b, ratio = (float(text.replace(",", "").rstrip("×")) for text in written[1:])
    assert ratio == pytest.approx(b / a, abs=0.006)
    picture(page, "page-ask", tmp_path)


def test_the_tree_is_walked_with_the_keyboard_and_enter_opens_a_node(page: Page, server: Served) -> None:
    search(page, server)
    tree = panel(page, "A").get_by_role("tree")
    tree.focus()
    item = tree.get_by_role("treeitem")
    assert item.inner_text().startswith("The question")
    page.keyboard.press("ArrowRight")
    assert item.get_attribute("aria-level") == "2"
    first = item.inner_text()
    assert tree.get_attribute("aria-activedescendant") == item.get_attribute("id")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    detail = panel(page, "A").locator(".detail")
    expect(detail).to_contain_text("Step 2")
    steps = detail.locator(".step-text").all_inner_texts()
    assert len(steps) == 2
    assert first.startswith(steps[0])
    for name in ("value", "visits", "samples"):
        expect(detail.locator("dt", has_text=name).first).to_be_visible()
    page.keyboard.press("ArrowLeft")
    assert item.inner_text() == first
    page.keyboard.press("End")  # the answer
    assert "answer" in item.inner_text()
    page.keyboard.press("Home")
    assert item.get_attribute("aria-level") == "1"


def test_a_click_opens_the_node_under_it(page: Page, server: Served) -> None:
    search(page, server)
    canvas = panel(page, "A").locator("canvas")
    box = canvas.bounding_box()
    assert box is not None
    # The root stands at the left edge of the fitted tree, somewhere in its height.
    for y in range(8, int(box["height"]), 12):
        canvas.click(position={"x": 22, "y": y})
        if panel(page, "A").locator(".detail").is_visible():
            break
    expect(panel(page, "A").locator(".detail h3")).to_have_text("The question")


def test_a_parameter_that_is_changed_is_sent_and_no_other(page: Page, server: Served) -> None:
    open_ask(page, server)
    page.get_by_label("compare two strategies").uncheck()
    page.get_by_text("Parameters").first.click()
    page.locator("#param-A-width").fill("2")
    page.locator("#param-A-vote").select_option("majority")
    with page.expect_request("**/v1/chat/completions") as sent:
        page.get_by_role("button", name="Search").click()
    body = sent.value.post_data_json
    assert body["stepsolver"]["param"] == {"width": 2, "vote": "majority"}
    assert body["stream"] is True
    expect(panel(page, "A").locator(".status")).to_have_text("done", timeout=PATIENCE)
    assert panel(page, "B").is_hidden()


def test_cancel_ends_the_search_here_and_on_the_server(page: Page, server: Served) -> None:
    def running() -> float:
        return serving.counted(server.app, "stepsolver_searches_running")

    open_ask(page, server)
    page.get_by_label("compare two strategies").uncheck()
    page.get_by_label("Token budget, each").fill("60000")
    page.get_by_label("Model and strategy").first.select_option("toy/mcts")
    page.get_by_text("Parameters").first.click()
    page.locator("#param-A-iterations").fill("9000")
    page.get_by_role("button", name="Search").click()
    expect(panel(page, "A").locator(".counters")).to_contain_text("nodes", timeout=PATIENCE)
    wait_until(lambda: running() == 1)
    page.get_by_role("button", name="Cancel").click()
    expect(panel(page, "A").locator(".status")).to_have_text("cancelled")
    wait_until(lambda: running() == 0)
    expect(page.get_by_role("button", name="Search")).to_be_enabled()


def test_markup_in_a_question_is_text_and_runs_nothing(page: Page, server: Served) -> None:
    search(page, server, HTML)
    tree = panel(page, "A").get_by_role("tree")
    tree.focus()
    page.keyboard.press("Enter")
    expect(panel(page, "A").locator(".question")).to_have_text(HTML)
    assert page.locator("img[src=x]").count() == 0
    assert "run" not in page.title()


def test_what_the_server_refuses_is_told_in_a_line_where_the_answer_would_be(page: Page, server: Served) -> None:
    open_ask(page, server, "What is 1 + 2? " * 900)
    page.get_by_role("button", name="Search").click()
    expect(panel(page, "A").get_by_role("alert")).to_contain_text("context", timeout=PATIENCE)
    expect(panel(page, "A").locator(".status")).to_have_text("failed")


def test_a_server_that_is_gone_is_told_in_a_line(page: Page, server: Served) -> None:
    open_ask(page, server)
    page.route("**/v1/chat/completions", lambda route: route.abort())
    page.get_by_role("button", name="Search").click()
    expect(panel(page, "A").get_by_role("alert")).to_contain_text("does not answer")


# ---- formulate -------------------------------------------------------------------------------------------------------


def test_sentences_stand_beside_their_algebra_in_the_colour_of_their_class(
    page: Page, server: Served, tmp_path: Path
) -> None:
    formulate(page, server)
    expect(page.locator(".headline")).to_contain_text("3400")
    rows = page.locator(".sentences > li")
    told = {row.locator(".sentence").inner_text(): row for row in rows.all()}
    limit = next(row for text, row in told.items() if text.startswith("At most"))
    assert limit.locator(".algebra").inner_text() == "4*chairs + 3*tables <= 220"
    assert "is-limit" in (limit.get_attribute("class") or "")
    share = next(row for text, row in told.items() if "twice" in text)
    assert "is-share" in (share.get_attribute("class") or "")
    colours = {row.evaluate("(row) => getComputedStyle(row).borderLeftColor") for row in (limit, share)}
    assert len(colours) == 2
    solution = page.get_by_role("table", name="Solution")
    assert solution.get_by_role("row").filter(has_text="chairs").get_by_role("cell").nth(1).inner_text() == "40"
    picture(page, "page-formulate", tmp_path)


def test_the_sentences_of_a_conflict_are_marked(page: Page, server: Served, tmp_path: Path) -> None:
    formulate(page, server, "Statements that clash")
    expect(page.locator(".headline")).to_contain_text("cannot all hold")
    marked = page.locator(".sentences > li.clash .sentence").evaluate_all(
        "(all) => all.map((one) => [...one.querySelectorAll('input')].map((input) => input.value).join())"
    )
    assert marked == ["60", "40", "30"]
    assert page.locator(".sentences .tag.bad").count() == 3
    picture(page, "page-conflict", tmp_path)


def test_a_number_that_is_changed_is_solved_again_and_both_results_are_shown(
    page: Page, server: Served, tmp_path: Path
) -> None:
    formulate(page, server)
    number = page.get_by_label(re.compile("number 220 in sentence"))
    number.fill("110")
    page.get_by_role("button", name="Solve with these numbers").click()
    compared = page.get_by_role("table", name="Before and after")
    expect(compared).to_be_visible(timeout=PATIENCE)
    lines = [row.get_by_role("cell").all_inner_texts() for row in compared.get_by_role("row").all()[1:]]
    rows = {name: values for name, *values in lines}
    assert rows["objective"] == ["3,400", "1,700", "-1,700"]
    assert rows["chairs"] == ["40", "20", "-20"]
    assert page.get_by_label("What is decided").input_value().count("110 hours") == 1
    picture(page, "page-what-if", tmp_path)
    page.get_by_role("button", name="Back to the first numbers").click()
    expect(compared).to_be_hidden()
    assert "220 hours" in page.get_by_label("What is decided").input_value()


def test_what_is_no_number_is_refused_beside_the_sentences(page: Page, server: Served) -> None:
    formulate(page, server)
    page.get_by_label(re.compile("number 220 in sentence")).fill("many")
    page.get_by_role("button", name="Solve with these numbers").click()
    expect(page.locator("#formulate").get_by_role("alert")).to_contain_text('"many" is not a number')


def test_a_language_model_reads_where_the_server_has_one(
    page: Page, runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = bytewise(tmp_path_factory.mktemp("tokenizer"), test_reader.CHAT)
    model, _ = test_reader.drafting(folder)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    url = asyncio.run_coroutine_threadsafe(model.__aenter__(), loop).result(60)
    with serving.server(ToyEngine(), reader=f"m@{url}") as (address, _):
        page.goto(f"{address}/#/formulate")
        page.locator("#description").fill(test_reader.TEXT)
        for reader, sure in (("m and the rules", 1), ("the rules alone", 0)):
            page.get_by_label("Read by").select_option(reader)
            page.get_by_role("button", name="Formulate and solve").click()
            expect(page.locator("#formulate .sentences")).to_be_visible()
            expect(page.get_by_text("This model is right with probability")).to_have_count(sure)
    asyncio.run_coroutine_threadsafe(model.__aexit__(None, None, None), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)


def test_a_text_without_a_model_says_what_is_missing(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/#/formulate")
    page.get_by_label("What is decided").fill(f"The sky is blue. {HTML}")
    page.get_by_role("button", name="Formulate and solve").click()
    expect(page.locator(".headline.bad")).to_be_visible(timeout=2 * PATIENCE)
    expect(page.locator("#formulate")).to_contain_text("the text gives no model")
    assert page.locator("img[src=x]").count() == 0
    assert "run" not in page.title()


def test_a_model_is_exported_as_a_file(page: Page, server: Served, tmp_path: Path) -> None:
    formulate(page, server)
    with page.expect_download() as saved:
        page.get_by_role("button", name="JSON").click()
    saved.value.save_as(tmp_path / "model.json")
    model = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert set(model["variables"]) == {"chairs", "tables"}


# ---- runs ------------------------------------------------------------------------------------------------------------


def test_runs_are_listed_with_their_accuracy_and_their_curves(page: Page, server: Served, tmp_path: Path) -> None:
    page.goto(f"{server.url}/#/runs")
    rows = page.get_by_role("table", name="Runs").get_by_role("row")
    expect(rows).to_have_count(3, timeout=2 * PATIENCE)
    expect(rows.nth(1)).to_contain_text("sums-beam")
    expect(page.locator(".chart path.s1").first).to_be_attached(timeout=2 * PATIENCE)
    costs = page.get_by_label("counted in").get_by_role("option").all_inner_texts()
    assert {"completion tokens", "computed tokens"} <= set(costs)
    page.get_by_label("counted in").select_option("completion tokens")
    expect(page.locator("svg.chart").first).to_contain_text("completion tokens")
    picture(page, "page-runs", tmp_path)
    page.get_by_label("draw the curve of sums-mcts").uncheck()
    expect(page.locator(".chart path.s1")).to_have_count(0)


def test_the_failures_of_a_run_are_told_with_their_reason(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/#/runs/sums-beam")
    rows = page.get_by_role("table", name="Problems").get_by_role("row")
    expect(rows).to_have_count(10, timeout=2 * PATIENCE)
    page.get_by_label("Outcome").select_option("failed")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("context")


def test_a_problem_of_a_run_shows_its_tree_and_its_markup_as_text(page: Page, server: Served, tmp_path: Path) -> None:
    page.goto(f"{server.url}/#/runs/sums-mcts")
    page.get_by_role("link", name="7", exact=True).click()
    tree = page.locator("#runs").get_by_role("tree")
    expect(tree).to_be_visible(timeout=2 * PATIENCE)
    tree.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#runs .detail")).to_contain_text("answer")
    expect(page.locator("#runs .text").first).to_have_text(HTML)
    assert page.locator("img[src=x]").count() == 0
    picture(page, "page-problem", tmp_path)


def test_a_run_that_is_not_there_is_told_in_a_line(page: Page, server: Served) -> None:
    page.goto(f"{server.url}/#/runs/..%2F..%2Fetc")
    expect(page.locator("#runs").get_by_role("alert").first).to_contain_text("there is no", timeout=2 * PATIENCE)


# ---- the page as a whole ---------------------------------------------------------------------------------------------


def test_nothing_leaves_the_origin_and_the_policy_forbids_it(page: Page, server: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    search(page, server)
    formulate(page, server)
    page.goto(f"{server.url}/#/runs")
    assert asked and all(url.startswith((server.url, "blob:")) for url in asked)
    refused = page.evaluate(
        "(other) => fetch(other).then(() => false, () => true)"
        ".then((blocked) => [blocked, document.styleSheets.length])",
        OTHER,
    )
    assert refused == [True, 1]


def test_the_page_needs_no_inline_script_or_style() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", html)
    for path in STATIC.glob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name
        hosts = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) - {"http://www.w3.org"}
        assert not hosts, path.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_grounds(new_page: Callable[..., Page], server: Served, scheme: str) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(f"{server.url}/")
    colours = page.evaluate(
        """() => Object.fromEntries(["ink", "muted", "accent", "bad", "good", "on-accent", "paper", "ground", "sunken",
          "bad-ground", "field", "value-low", "value-middle", "value-high"].map((name) =>
            [name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()]))"""
    )
    grounds = ["paper", "ground", "sunken"]
    texts = [(name, ground) for name in ("ink", "muted", "accent", "good") for ground in grounds]
    texts += [("bad", "paper"), ("bad", "bad-ground"), ("ink", "bad-ground"), ("on-accent", "accent")]
    for text, ground in texts:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for shape in ("field", "value-low", "value-middle", "value-high"):
        assert contrast(colours[shape], colours["paper"]) >= 3, shape


def contrast(a: str, b: str) -> float:
    """WCAG's contrast ratio of two colours #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_phone_scrolls_down_only_and_dark_is_dark(
    new_page: Callable[..., Page], server: Served, tmp_path: Path
) -> None:
    page = new_page(360, 740, color_scheme="dark", reduced_motion="reduce")
    search(page, server)
    fits(page)
    picture(page, "page-phone", tmp_path)
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 60
    formulate(page, server)
    fits(page)
    page.goto(f"{server.url}/#/runs")
    expect(page.get_by_role("table", name="Runs")).to_be_visible(timeout=PATIENCE)
    fits(page)


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_tab_key_reaches_everything_in_order_and_shows_where_it_is(page: Page, server: Served) -> None:
    open_ask(page, server)
    page.get_by_label("Question", exact=True).focus()
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert seen == ["task", "budget", "seed", "second", "model-A", "Parameters", "model-B", "Parameters"]


def test_a_key_is_asked_for_once_and_kept_for_the_tab(new_page: Callable[..., Page]) -> None:
    with serving.server(ToyEngine(), api_keys=("correct-horse",)) as (url, app):
        page, served = new_page(), Served(url, app)
        search_button = page.get_by_role("button", name="Search")
        open_ask(page, served)
        page.get_by_label("API key").fill("wrong-horse")
        page.get_by_role("button", name="Use", exact=True).click()
        search_button.click()
        expect(panel(page, "A").get_by_role("alert")).to_contain_text("key")
        expect(page.get_by_label("API key")).to_be_visible()
        page.get_by_label("API key").fill("correct-horse")
        page.get_by_role("button", name="Use", exact=True).click()
        expect(page.get_by_label("API key")).to_be_hidden()
        search_button.click()
        expect(panel(page, "A").locator(".status")).to_have_text("done", timeout=PATIENCE)
        assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        page.reload()
        expect(search_button).to_be_visible()
        expect(page.get_by_label("API key")).to_be_hidden()


def test_ten_thousand_nodes_are_laid_out_and_walked(page: Page, server: Served) -> None:
    open_ask(page, server)
    rows = page.evaluate(
        """async () => {
          const { TreeView } = await import("/static/tree.js");
          const tree = window.big = new TreeView({ label: "big", onOpen: (node) => { window.opened = node.id; } });
          document.getElementById("ask").prepend(tree.element);
          const nodes = [{ id: 0, parent: null, depth: 0, text: "", value: null, visits: 0, samples: 0, answer: null }];
          for (let id = 1; id < 10000; id++) {
            const parent = Math.floor((id - 1) / 3);
            nodes.push({ id, parent, depth: 0, text: `step ${id}`, value: (id % 100) / 100, visits: 1, samples: 1,
                         answer: null });
          }
          for (let at = 0; at < nodes.length; at += 500) tree.add(nodes.slice(at, at + 500));
          while (tree.columns.flat().length < nodes.length) await new Promise(requestAnimationFrame);
          return tree.columns.map((column) => column.length);
        }"""
    )
    assert rows == [1, 3, 9, 27, 81, 243, 729, 2187, 6561, 159]
    tree = page.get_by_role("tree", name="big")
    tree.focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("window.big.chosen.level === window.big.nodes[window.opened].level && window.opened > 3000")
    for _ in range(12):
        page.keyboard.press("+")
    page.keyboard.press("0")
    assert page.evaluate("window.big.follow")
