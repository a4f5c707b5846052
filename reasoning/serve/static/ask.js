// One question, one or two strategies side by side: trees that grow, answers, and what they cost.

import { stream } from "./api.js";
import { compact, el, number, operations, say, table } from "./dom.js";
import { nodePanel, stepList } from "./steps.js";
import { TreeView } from "./tree.js";

const EXAMPLE = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. " +
  "How many clips did Natalia sell altogether in April and May?";
const SIDES = ["A", "B"];

export class AskView {
  constructor(root, config) {
    this.config = config;
    this.stopping = null; // the AbortController of the searches that run
    this.sides = SIDES.map((name, i) => new Strategy(name, config, i));
    this.#build(root);
  }

  #build(root) {
    this.question = el("textarea", { id: "question", rows: 3, required: true, maxlength: 20000 });
    this.question.value = EXAMPLE;
    this.task = el("select", { id: "task" }, el("option", { value: "", text: "any (paragraphs are steps)" }),
      this.config.tasks.map((name) => el("option", { value: name, text: name })));
    if (this.config.tasks.includes("gsm8k")) this.task.value = "gsm8k";
    this.budget = el("input", { id: "budget", type: "number", min: 1, step: 1, value: 2000 });
    this.seed = el("input", { id: "seed", type: "number", min: 0, step: 1, value: 0 });
    this.second = el("input", { id: "second", type: "checkbox", checked: this.config.models.length > 1 });
    this.send = el("button", { type: "submit", class: "primary", text: "Search" });
    this.stop = el("button", { type: "button", hidden: true, text: "Cancel", on: { click: () => this.stopping?.abort() } });
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    const field = (control, label) => el("div", { class: "field" }, el("label", { for: control.id, text: label }), control);
    this.form = el("form", { class: "card", on: { submit: (event) => { event.preventDefault(); this.#search(); } } },
      field(this.question, "Question"),
      el("div", { class: "row" },
        field(this.task, "Task"), field(this.budget, "Token budget, each"), field(this.seed, "Seed"),
        el("label", { class: "check" }, this.second, "compare two strategies")),
      el("div", { class: "pair" }, this.sides.map((side) => side.settings)),
      el("div", { class: "row actions" }, this.send, this.stop, this.error));
    this.results = el("div", { class: "pair results" }, this.sides.map((side) => side.panel));
    this.costs = el("div", { class: "card", hidden: true });
    root.append(this.form, this.results, this.costs);
    this.second.addEventListener("change", () => this.#compare());
    this.question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
    this.#compare();
  }

  #compare() {
    this.sides[1].settings.hidden = !this.second.checked;
    this.form.classList.toggle("single", !this.second.checked);
  }

  async #search() {
    const question = this.question.value.trim();
    say(this.error, question ? "" : "Write a question first.");
    if (!question) return;
    const used = this.second.checked ? this.sides : this.sides.slice(0, 1);
    const shared = {
      task: this.task.value || null,
      events: true,
      seed: this.seed.value === "" ? 0 : Number(this.seed.value),
      ...(this.budget.value !== "" && { max_tokens_per_problem: Number(this.budget.value) }),
    };
    this.stopping = new AbortController();
    this.send.disabled = true;
    this.stop.hidden = false;
    this.costs.hidden = true;
    this.results.classList.toggle("single", used.length === 1);
    this.sides[1].panel.hidden = true;
    await Promise.all(used.map((side) => side.search(question, shared, this.stopping.signal)));
    this.stopping = null;
    this.send.disabled = false;
    this.stop.hidden = true;
    this.#showCosts(used.filter((side) => side.answer));
  }

  #showCosts(done) {
    this.costs.replaceChildren();
    this.costs.hidden = !done.length;
    if (!done.length) return;
    const rows = [
      ["prompt tokens", (a) => a.usage.prompt_tokens, number],
      ["of these cached", (a) => a.usage.cached_tokens, number],
      ["completion tokens", (a) => a.usage.completion_tokens, number],
      ["reward tokens", (a) => a.usage.reward_tokens, number],
      ["computed tokens", (a) => a.usage.computed_tokens, number],
      ["floating-point operations", (a) => a.usage.flops, operations],
      ["nodes", (a) => a.nodes, number],
      ["seconds", (a) => a.seconds, (value) => (value ?? null) === null ? "–" : value.toFixed(2)],
    ].map(([name, read, show]) => {
      const values = done.map((side) => read(side.answer) ?? null);
      const [a, b] = values;
      const ratio = done.length === 2 ? [a > 0 && b !== null ? `${(b / a).toFixed(2)}×` : "–"] : [];
      return [name, ...values.map(show), ...ratio];
    });
    const names = done.map((side) => `${side.name}: ${side.model.value}`);
    const header = ["", ...names, ...(done.length === 2 ? ["B / A"] : [])];
    this.costs.append(table("What it cost", header, rows, header.slice(1)));
  }
}

/** One strategy: its settings, and the panel in which its search is shown. */
class Strategy {
  constructor(name, config, index) {
    this.name = name;
    this.models = config.models.map((model) => (typeof model === "string" ? { id: model } : model));
    this.methods = Object.fromEntries(config.methods.map((method) => [method.name, method]));
    this.answer = null; // the extension of the last chunk
    this.model = el("select", { id: `model-${name}` }, this.models.map(({ id }) => el("option", { value: id, text: id })));
    const preferred = ["beam", "mcts"].map((end) => this.models.findIndex(({ id }) => id.endsWith(`/${end}`)));
    this.model.selectedIndex = preferred[index] >= 0 ? preferred[index] : Math.min(index, this.models.length - 1);
    this.params = el("div", { class: "params" });
    this.settings = el("fieldset", {},
      el("legend", { text: `Strategy ${name}` }),
      el("div", { class: "field" }, el("label", { for: this.model.id, text: "Model and strategy" }), this.model),
      el("details", {}, el("summary", { text: "Parameters" }), this.params));
    this.model.addEventListener("change", () => this.#showParams());
    this.#showParams();
    this.#buildPanel();
  }

  #showParams() {
    const preset = this.models.find(({ id }) => id === this.model.value)?.stepsolver ?? {};
    const method = this.methods[preset.method];
    const defaults = { ...method?.params, ...preset.params };
    const fields = Object.entries(defaults).map(([key, value]) => {
      const id = `param-${this.name}-${key}`;
      const kind = typeof value;
      const names = method?.choices?.[key];
      const input = kind === "boolean"
        ? el("input", { id, name: key, type: "checkbox", checked: value })
        : names?.includes(value)
        ? el("select", { id, name: key }, names.map((one) => el("option", { value: one, text: one, selected: one === value })))
        : el("input", { id, name: key, type: kind === "number" ? "number" : "text", step: "any", value: value ?? "",
                        placeholder: value === null ? "none" : null });
      input.original = kind === "boolean" ? value : String(value ?? "");
      input.kind = kind;
      return el("div", { class: "field" }, el("label", { for: id, text: key }), input);
    });
    this.params.replaceChildren(...(fields.length ? fields : [el("p", { class: "muted", text: "This strategy has none." })]));
  }

  /** Parameters that differ from the strategy's own. */
  #changed() {
    const found = {};
    for (const input of this.params.querySelectorAll("input, select")) {
      if (input.kind === "boolean") {
        if (input.checked !== input.original) found[input.name] = input.checked;
      } else if (input.value.trim() !== input.original && input.value.trim() !== "") {
        const text = input.value.trim();
        const numeric = input.kind === "number" || (input.kind === "object" && Number.isFinite(Number(text)));
        found[input.name] = numeric ? Number(text) : text;
      }
    }
    return found;
  }

  #buildPanel() {
    this.status = el("span", { class: "status" });
    this.title = el("h2", {});
    this.counters = el("p", { class: "counters", "aria-live": "off" });
    this.meter = el("progress", { max: 1, value: 0, "aria-label": "share of the token budget used" });
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    this.outcome = el("div", { class: "outcome", "aria-live": "polite" });
    this.detail = el("div", { class: "detail", hidden: true });
    this.tree = new TreeView({
      label: `Search tree of strategy ${this.name}`,
      onOpen: (node, path) => {
        this.detail.hidden = false;
        this.detail.replaceChildren(...nodePanel(node, path, this.question));
      },
    });
    this.panel = el("article", { class: "card", hidden: true, "aria-label": `Strategy ${this.name}` },
      el("div", { class: "panel-head" }, this.title, this.status), this.counters, this.meter, this.error,
      this.outcome, this.tree.element, this.detail);
  }

  /** Runs one search and shows it; what fails is shown in the panel. */
  async search(question, shared, signal) {
    this.question = question;
    this.answer = null;
    this.text = "";
    this.panel.hidden = false;
    this.title.textContent = `${this.name} · ${this.model.value}`;
    this.detail.hidden = true;
    this.outcome.replaceChildren();
    this.counters.textContent = "waiting for the engine …";
    this.meter.value = 0;
    this.budget = shared.max_tokens_per_problem ?? null;
    this.meter.hidden = this.budget === null;
    say(this.error, "");
    this.#state("running");
    this.tree.clear();
    const param = this.#changed();
    const body = {
      model: this.model.value,
      messages: [{ role: "user", content: question }],
      stream: true,
      stepsolver: { ...shared, ...(Object.keys(param).length && { param }) },
    };
    try {
      await stream("/v1/chat/completions", body, signal, (chunk) => this.#take(chunk));
      this.#finish();
    } catch (error) {
      if (error.name === "AbortError") this.#state("cancelled");
      else {
        this.#state("failed");
        this.counters.textContent = "";
        say(this.error, error.message);
      }
    }
  }

  #state(word) {
    this.status.textContent = word;
    this.status.dataset.state = word;
    this.panel.setAttribute("aria-busy", word === "running");
  }

  #take(chunk) {
    const event = chunk.stepsolver?.event;
    if (event?.type === "nodes") this.tree.add(event.nodes);
    else if (event?.type === "values") this.tree.update(event.values);
    else if (event?.type === "progress") this.#progress(event);
    else if (chunk.stepsolver) this.answer = chunk.stepsolver;
    this.text += chunk.choices?.[0]?.delta?.content ?? "";
  }

  #progress(event) {
    this.#count(event.nodes, event.completion_tokens, event, event.seconds);
  }

  #count(nodes, completion, usage, seconds) {
    this.counters.replaceChildren(
      el("b", { text: compact(nodes) }), " nodes  ",
      el("b", { text: number(completion) }), this.budget ? ` of ${number(this.budget)} tokens written  ` : " tokens written  ",
      el("b", { text: compact(usage.prompt_tokens) }), " read, ", `${compact(usage.cached_tokens)} cached  `,
      el("b", { text: `${(seconds ?? 0).toFixed(1)} s` }));
    if (this.budget) this.meter.value = Math.min(1, completion / this.budget);
  }

  #finish() {
    const answer = this.answer;
    this.#state(answer?.failed ? "failed" : "done");
    if (!answer) {
      this.outcome.replaceChildren(el("p", { class: "text", text: this.text }));
      return;
    }
    this.#count(answer.nodes, answer.usage.completion_tokens, answer.usage, answer.seconds);
    if (answer.failed) say(this.error, answer.failed);
    const steps = answer.steps ?? [];
    this.tree.mark(steps.map((step) => step.text));
    const known = answer.answer !== null && answer.answer !== undefined;
    this.outcome.replaceChildren(
      el("p", { class: "answer" }, el("span", { class: "muted", text: "Answer " }),
        el("strong", { text: known ? answer.answer : "none" }),
        known && (answer.score ?? null) !== null && el("span", { class: "muted", text: ` score ${number(answer.score)}` })),
      steps.length ? el("details", {}, el("summary", { text: `Solution, ${steps.length} steps` }), stepList(steps))
        : el("p", { class: "text", text: this.text }),
      answer.alternatives?.length
        ? el("details", {}, el("summary", { text: `All answers, ${answer.alternatives.length}` }), this.#alternatives(answer.alternatives))
        : "");
  }

  #alternatives(found) {
    return table("Answers, the best first", ["answer", "score", "votes"],
      found.map((one) => [one.answer, number(one.score), number(one.votes)]), ["score", "votes"]);
  }
}
