"""python -m benchmarks.page: how soon the page of the server paints, and how smoothly it takes a tree of 10,000 nodes.

Debian's Chromium, headless and without a graphics card, opens the page of a server on the toy engine. The time to first
paint is the browser's own (`first-contentful-paint`), with an empty cache and with a filled one. Then a tree arrives
through the page's own tree view as a search's events bring it, ten times a second, and every frame is timed: a frame
takes 16.7 ms where nothing holds the page up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.common import machine, print_table, write_result
from data.errors import UserError

CHROMIUM = "/usr/bin/chromium"
STARTUP_SECONDS = 300.0  # for the server to listen, on a busy machine

PAINT = """() => new Promise((done) => {
  const told = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const look = () => (told() === undefined ? requestAnimationFrame(look) : done(told()));
  look();
})"""

GROW = """async ({ nodes, seconds, branching }) => {
  const { TreeView } = await import("/static/tree.js");
  const tree = new TreeView({ label: "benchmark", onOpen: () => {} });
  document.getElementById("ask").prepend(tree.element);
  const node = (id) => ({
    id, parent: id ? Math.floor((id - 1) / branching) : null, depth: 0, text: `step ${id} of many`,
    value: (id * 37 % 100) / 100, visits: 1 + id % 7, samples: 1, answer: null,
  });
  const frames = [], layouts = [];
  const began = performance.now();
  let last = began, at = 0, columns = null;
  while (tree.columns.flat().length < nodes) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    if (tree.columns !== columns) layouts.push(now), (columns = tree.columns);
    const due = Math.min(nodes, Math.floor((Math.floor((now - began) / 100) * nodes) / (seconds * 10)));
    if (due > at) {
      const changed = Array.from({ length: Math.min(at, 200) }, (_, i) => [(i * 31) % at, (due % 100) / 100, 2]);
      tree.add(Array.from({ length: due - at }, (_, i) => node(at + i)));
      tree.update(changed);
      at = due;
    }
  }
  tree.element.remove();
  return { frames: frames.slice(1), layouts: layouts.length - 1, seconds: (performance.now() - began) / 1000 };
}"""


@contextmanager
def served() -> Iterator[str]:
    """The address of a server on the toy engine."""
    import uvicorn

    from reasoning.engine.toy import ToyEngine
    from reasoning.serve.app import create_app
    from reasoning.serve.settings import ServeConfig

    app = create_app(ServeConfig(policy="toy", port=0), ToyEngine())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        end = time.monotonic() + STARTUP_SECONDS
        while not server.started:
            if time.monotonic() > end or not thread.is_alive():
                raise UserError("the server did not start: see its log above")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def paints(browser: Any, url: str, repeats: int) -> list[dict[str, Any]]:
    """Milliseconds to the first paint, without and with the files in the browser's cache."""
    found: dict[str, list[float]] = {"first visit": [], "next visit": []}
    for _ in range(repeats):
        context = browser.new_context()
        for times in found.values():
            page = context.new_page()
            page.goto(url)
            times.append(page.evaluate(PAINT))
            page.close()
        context.close()
    return [
        {"first paint": visit, "median ms": round(statistics.median(times), 1), "slowest ms": round(max(times), 1)}
        for visit, times in found.items()
    ]


def growth(browser: Any, url: str, nodes: int, seconds: float) -> dict[str, Any]:
    """Frames while the tree arrives within so many seconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#question")
    told = page.evaluate(GROW, {"nodes": nodes, "seconds": seconds, "branching": 3})
    context.close()
    frames = sorted(told["frames"])
    return {
        "nodes": nodes,
        "seconds": round(told["seconds"], 1),
        "frames/s": round(len(frames) / told["seconds"], 1),
        "median ms": round(statistics.median(frames), 1),
        "p95 ms": round(frames[int(0.95 * len(frames))], 1),
        "worst ms": round(frames[-1], 1),
        "layouts/s": round(told["layouts"] / told["seconds"], 1),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.page")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--seconds", type=float, default=10.0, help="within which a tree arrives")
    parser.add_argument("--repeats", type=int, default=5, help="visits of each sort")
    parser.add_argument("--json", action="store_true", help="print JSON, and write no file")
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright

    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        version = browser.version
        painted = paints(browser, url, args.repeats)
        grown = [growth(browser, url, nodes, args.seconds) for nodes in args.nodes]
        browser.close()
    if args.json:
        print(json.dumps({"machine": machine(), "chromium": version, "paint": painted, "rows": grown}, indent=2))
        return
    found = machine()
    print(f"{found['date']}, {found['cpu']}, {found['cores']} cores, Chromium {version}\n")
    print_table(painted)
    print()
    print_table(grown)
    write_result("page", grown, chromium=version, paint=painted)


if __name__ == "__main__":
    main()
