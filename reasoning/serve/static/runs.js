// Saved runs: what they reached at which cost, where they failed, and the tree of one problem.

import { ask } from "./api.js";
import { chart, MOST_LINES } from "./chart.js";
import { compact, el, fact, number, say, table } from "./dom.js";
import { nodePanel } from "./steps.js";
import { TreeView } from "./tree.js";

const PAGE = 50; // problems of a page
const MOST_RUNS = 200; // of a list
const OUTCOMES = ["all", "right", "wrong", "failed", "unjudged"];
const COST = "computed tokens"; // what curves are drawn over at first, where it is known
const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)}%`);
const address = (...parts) => `#/runs/${parts.map(encodeURIComponent).join("/")}`;

/** The curves of some runs in one chart, over a cost that can be chosen. */
class Curves {
  constructor(get) {
    this.get = get;
    this.loaded = new Map();
    this.cost = el("select", { id: "cost" });
    this.cost.addEventListener("change", () => this.#draw());
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    this.place = el("div", {});
    this.drawn = el("div", { hidden: true },
      el("div", { class: "row" }, el("h2", { text: "Accuracy at every budget" }),
        el("div", { class: "field" }, el("label", { for: "cost", text: "counted in" }), this.cost)),
      this.place);
    this.element = el("div", { class: "card", hidden: true }, this.error, this.drawn);
  }

  async show(names) {
    this.names = names.slice(0, MOST_LINES);
    const told = names.length > MOST_LINES ? [`One chart holds ${MOST_LINES} runs: the others are left out.`] : [];
    for (const name of this.names.filter((one) => !this.loaded.has(one))) {
      try {
        this.loaded.set(name, await this.get(`/v1/runs/${encodeURIComponent(name)}/curve`));
      } catch (error) {
        if (error.name === "AbortError") return;
        told.push(`${name}: ${error.message}`);
      }
    }
    say(this.error, told.join(" "));
    const known = [...new Set(this.#found().flatMap((one) => Object.keys(one.costs)))];
    const chosen = known.includes(this.cost.value) ? this.cost.value : known.includes(COST) ? COST : known[0];
    this.cost.replaceChildren(...known.map((text) => el("option", { text })));
    this.cost.value = chosen ?? "";
    this.#draw();
  }

  #found() {
    return this.names.map((name) => this.loaded.get(name)).filter(Boolean);
  }

  #draw() {
    const series = this.#found().map(({ name, costs }) => ({
      name, points: (costs[this.cost.value] ?? []).map((one) => ({ x: one.ceiling, y: one.accuracy, low: one.low, high: one.high })),
    })).filter(({ points }) => points.length);
    this.drawn.hidden = !series.length;
    this.element.hidden = !series.length && this.error.hidden;
    if (series.length) this.place.replaceChildren(chart(series, `${this.cost.value}, at most, a problem`, "accuracy"));
  }
}

export class RunsView {
  constructor(root) {
    this.title = root.querySelector("h1");
    this.trail = el("nav", { "aria-label": "Where", class: "trail" });
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    this.body = el("div", {});
    root.append(this.trail, this.error, this.body);
  }

  /** Shows the list, the run, or the run's problem that the address names. */
  async show([name, index]) {
    this.loading?.abort();
    this.loading = new AbortController();
    say(this.error, "");
    this.body.setAttribute("aria-busy", "true");
    this.trail.replaceChildren(...(name ? [el("a", { href: "#/runs", text: "All runs" })] : []),
      ...(index ? [" / ", el("a", { href: address(name), text: name })] : []));
    this.title.textContent = index ? `Problem ${index}` : (name ?? "Saved runs");
    try {
      const shown = index ? await this.#problem(name, index) : name ? await this.#run(name) : await this.#list();
      this.body.replaceChildren(...shown);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.body.replaceChildren();
      say(this.error, error.message);
    }
    this.body.setAttribute("aria-busy", "false");
  }

  #get(path) {
    return ask(path, undefined, this.loading.signal);
  }

  // ---- all runs --------------------------------------------------------------------------------------------------

  async #list() {
    const { total, runs, broken } = await this.#get(`/v1/runs?limit=${MOST_RUNS}`);
    if (!total) {
      return [el("p", { class: "card", text: "There are no runs yet: python -m reasoning.solve TASK --run NAME saves one." })];
    }
    const curves = new Curves((path) => this.#get(path));
    const boxes = runs.map((run, i) => {
      const box = el("input", { type: "checkbox", value: run.name, "aria-label": `draw the curve of ${run.name}`, checked: i < 3 });
      box.addEventListener("change", () => draw());
      return box;
    });
    const draw = () => curves.show(boxes.filter((box) => box.checked).map((box) => box.value));
    const rows = runs.map((run, i) => [
      boxes[i], el("a", { href: address(run.name), text: run.name }), run.task, run.method, run.policy,
      number(run.problems), percent(run.accuracy), interval(run.ci95), number(run.failed), compact(run.completion_tokens),
      run.created.slice(0, 10),
    ]);
    const header = ["curve", "run", "task", "method", "policy", "problems", "accuracy", "95% interval", "failed", "tokens written", "begun"];
    draw();
    return [
      el("div", { class: "card" },
        table("Runs", header, rows, ["problems", "accuracy", "95% interval", "failed", "tokens written"]),
        total > MOST_RUNS && el("p", { class: "muted", text: `The first ${MOST_RUNS} of ${total} runs.` }),
        broken.map((one) => el("p", { class: "error", text: `${one.name}: ${one.message}` }))),
      curves.element];
  }

  // ---- one run ---------------------------------------------------------------------------------------------------

  async #run(name) {
    const at = `/v1/runs/${encodeURIComponent(name)}`;
    const run = await this.#get(at);
    const curves = new Curves((path) => this.#get(path));
    const trouble = el("p", { class: "error", role: "alert", hidden: true });
    const list = el("div", {});
    const outcome = el("select", { id: "outcome" }, OUTCOMES.map((one) => el("option", { text: one })));
    const load = async (offset) => {
      try {
        const chosen = outcome.value === "all" ? "" : `&outcome=${outcome.value}`;
        const page = await this.#get(`${at}/problems?offset=${offset}&limit=${PAGE}${chosen}`);
        list.replaceChildren(...this.#problems(name, page, offset, load));
      } catch (error) {
        if (error.name !== "AbortError") say(trouble, error.message);
      }
    };
    outcome.addEventListener("change", () => load(0));
    await load(0);
    curves.show([name]);
    return [
      el("div", { class: "card" }, el("dl", { class: "facts" },
        fact("task", run.task), fact("method", run.method), fact("policy", run.policy),
        fact("problems", number(run.problems)), fact("accuracy", `${percent(run.accuracy)} ${interval(run.ci95)}`),
        fact("failed", number(run.failed)), fact("tokens written", number(run.completion_tokens)))),
      trouble, curves.element,
      el("div", { class: "card" },
        el("div", { class: "row" }, el("div", { class: "field" }, el("label", { for: "outcome", text: "Outcome" }), outcome)),
        list)];
  }

  #problems(name, page, offset, load) {
    const rows = page.problems.map((one) => [
      el("a", { href: address(name, one.index), text: String(one.index) }), cut(one.question, 110), one.gold, one.answer,
      one.failed ? `failed: ${cut(one.failed, 90)}` : one.outcome, number(one.completion_tokens), number(one.nodes)]);
    const header = ["problem", "question", "right answer", "answer", "outcome", "tokens", "nodes"];
    const last = offset + page.problems.length;
    const turn = (text, to, off) => el("button", { type: "button", text, disabled: off, on: { click: () => load(to) } });
    return [
      rows.length ? table("Problems", header, rows, ["tokens", "nodes"]) : el("p", { class: "muted", text: "None." }),
      page.total > PAGE ? el("div", { class: "row actions" },
        turn("Before", Math.max(0, offset - PAGE), offset === 0), turn("Next", last, last >= page.total),
        el("span", { class: "muted", text: `${offset + 1} to ${last} of ${page.total}` })) : ""];
  }

  // ---- one problem -----------------------------------------------------------------------------------------------

  async #problem(name, index) {
    const { result, tree, tree_missing: missing } =
      await this.#get(`/v1/runs/${encodeURIComponent(name)}/problems/${encodeURIComponent(index)}`);
    const detail = el("div", { class: "detail", hidden: true });
    const view = new TreeView({
      label: `Search tree of problem ${index}`,
      onOpen: (node, path) => {
        detail.hidden = false;
        detail.replaceChildren(...nodePanel(node, path, result.question));
      },
    });
    if (tree) {
      view.add(tree.nodes);
      view.markNodes(tree.nodes.filter((node) => node.chosen).map((node) => node.id));
    }
    return [
      el("div", { class: "card" }, el("p", { class: "text", text: result.question }),
        el("dl", { class: "facts" },
          fact("outcome", result.outcome), fact("answer", result.answer ?? "none"), fact("right answer", result.gold ?? "–"),
          fact("tokens written", number(result.completion_tokens)), fact("nodes", number(result.nodes)),
          fact("seconds", number(result.seconds))),
        result.failed && el("p", { class: "error", text: result.failed })),
      el("div", { class: "card" }, tree ? view.element : el("p", { class: "muted", text: `No tree: ${missing}.` }), detail),
      result.answers.length
        ? el("div", { class: "card" }, table("Answers, the best first", ["answer", "score", "votes"],
            result.answers.map((one) => [one.answer, number(one.score), number(one.votes)]), ["score", "votes"]))
        : ""];
  }
}

function interval(ends) {
  return ends ? `${percent(ends[0])} to ${percent(ends[1])}` : "";
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
