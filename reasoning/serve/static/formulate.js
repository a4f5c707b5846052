// A decision in words: each sentence beside its algebra, what came of it, and what another number would change.

import { ask } from "./api.js";
import { download, el, number, say, table } from "./dom.js";

const EXAMPLES = {
  "A workshop": "A workshop makes chairs and tables. Each chair brings a profit of 45 dollars and each table brings a " +
    "profit of 80 dollars. Each chair takes 4 hours of carpentry and each table takes 3 hours of carpentry. At most " +
    "220 hours of carpentry are available. At least 10 chairs must be made. There must be at least twice as many " +
    "chairs as tables. How many of each should be made to maximize profit?",
  "Statements that clash": "A bakery bakes loaves and cakes. A loaf brings a profit of 2 dollars and a cake brings a " +
    "profit of 9 dollars. At most 60 loaves and cakes can be baked in total. At least 40 loaves must be baked. At " +
    "least 30 cakes must be baked. How many of each should be baked to maximize profit?",
  "A diet": "A dietitian mixes oats and beans. One kilogram of oats costs 2 dollars and one kilogram of beans costs 3 " +
    "dollars. One kilogram of oats contains 120 grams of protein and one kilogram of beans contains 210 grams of " +
    "protein. At least 900 grams of protein are needed. At most 4 kilograms of beans can be used. How many kilograms " +
    "of each should be bought to minimize cost?",
};

const CLASSES = {
  objective: ["what is sought", "optimize goals lexicographic worst_case"],
  limit: ["limit", "bound sum_bound linear_bound capacity range semi_continuous linear soft"],
  share: ["share or comparison", "proportion comparison difference absolute_deviation"],
  logic: ["choice or condition", "implication count cardinality either_or equivalence conditional packing covering " +
    "no_overlap precedence assignment"],
  flow: ["flow, stock or cost", "flow_balance inventory_balance lots fixed_charge piecewise_cost"],
  other: ["other statement", ""],
  data: ["names and data", ""],
  open: ["not understood", ""],
};
const CLASS_OF = Object.fromEntries(
  Object.entries(CLASSES).flatMap(([name, [, kinds]]) => kinds.split(" ").map((kind) => [kind, name])));

const FORMATS = { json: "JSON", yaml: "YAML", lp: "LP", mps: "MPS", py: "Pyomo script", md: "Report (Markdown)" };
const NUMBER = /(?<![\p{L}\d.,])\d+(?:,\d{3})*(?:\.\d+)?(?![\p{L}\d])/gu;
const NOT_UNDERSTOOD = ["language", "variables", "objective", "nonlinear", "data", "reading", "sentence", "number"];

/** A text and what the server made of it; its places count JavaScript's letters, where the server counts characters. */
class Read {
  constructor(text, formulation) {
    this.text = text;
    this.formulation = formulation;
    this.explained = formulation.explanation;
    const offsets = [...offsetsOf(text)];
    const place = (span) => (span ? [offsets[span[0]], offsets[span[1]]] : null);
    this.sentences = formulation.sentences.map((one) => place([one.start, one.end]));
    this.statements = this.explained
      ? [this.explained.objective, ...this.explained.statements].filter(Boolean)
        .map((one) => ({ ...one, at: place(one.source?.span) }))
      : [];
    // Words and numbers by the class of the statement that uses them, wherever in the text they stand.
    this.parts = this.statements.flatMap((one) => {
      const { objective, constraints = [] } = formulation.model;
      const owner = one.id === "objective" ? objective : constraints.find((other) => other.id === one.id);
      const spans = Object.values(owner?.sources ?? {}).map((mention) => place(mention.span));
      return [one.at, ...spans].filter(Boolean).map((at) => ({ at, name: classOf(one) }));
    });
    this.findings = formulation.findings.map((one) => ({ ...one, at: place(one.span) }));
    this.conflict = new Set((this.explained?.result?.conflict ?? []).map((one) => one.id).filter(Boolean));
  }

  /** The numbers of all sentences in their order: their place and their digits. */
  get numbers() {
    return this.sentences.flatMap(([start, end]) => [...this.text.slice(start, end).matchAll(NUMBER)]
      .map((match) => [start + match.index, match[0]]));
  }
}

export class FormulateView {
  constructor(root, config) {
    this.base = null; // the text and result that a what-if is compared with
    this.now = null;
    this.waiting = null;
    this.text = el("textarea", { id: "description", rows: 6, maxlength: 20000, spellcheck: "false" });
    this.text.value = EXAMPLES["A workshop"];
    const example = el("select", { id: "example" }, Object.keys(EXAMPLES).map((name) => el("option", { text: name })));
    example.addEventListener("change", () => { this.text.value = EXAMPLES[example.value]; });
    this.reader = config.reader && el("select", { id: "reader" },
      el("option", { value: "model", text: `${config.reader} and the rules` }), el("option", { value: "rules", text: "the rules alone" }));
    this.send = el("button", { type: "submit", class: "primary", text: "Formulate and solve" });
    this.stop = el("button", { type: "button", hidden: true, text: "Cancel", on: { click: () => this.waiting?.abort() } });
    this.error = el("p", { class: "error", role: "alert", hidden: true });
    this.result = el("div", { "aria-live": "polite" });
    const form = el("form", { class: "card", on: { submit: (event) => { event.preventDefault(); this.#first(); } } },
      el("div", { class: "field" },
        el("label", { for: "description", text: "What is decided, what is sought, what must hold" }), this.text),
      el("div", { class: "row" },
        el("div", { class: "field" }, el("label", { for: "example", text: "Example" }), example),
        this.reader && el("div", { class: "field" }, el("label", { for: "reader", text: "Read by" }), this.reader),
        this.send, this.stop),
      this.error);
    root.append(form, this.result);
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }

  async #first() {
    const text = this.text.value;
    say(this.error, text.trim() ? "" : "Describe a decision first.");
    if (!text.trim()) return;
    const found = await this.#solve(text, this.error);
    if (!found) return;
    this.base = this.now = found;
    this.#show();
  }

  /** The text's model and solution; null where something failed, which `place` then says. */
  async #solve(text, place) {
    this.waiting?.abort();
    const waiting = (this.waiting = new AbortController());
    this.send.disabled = true;
    this.stop.hidden = false;
    this.result.setAttribute("aria-busy", "true");
    say(place, "");
    try {
      const how = this.reader ? { method: this.reader.value } : {};
      return new Read(text, await ask("/v1/formulate", { text, ...how }, waiting.signal));
    } catch (error) {
      if (error.name !== "AbortError") say(place, error.message);
      return null;
    } finally {
      if (this.waiting === waiting) {
        this.waiting = null;
        this.send.disabled = false;
        this.stop.hidden = true;
        this.result.setAttribute("aria-busy", "false");
      }
    }
  }

  #show() {
    const compared = this.now !== this.base;
    this.whatIf = el("p", { class: "error", role: "alert", hidden: true });
    this.apply = el("button", { type: "button", class: "primary", text: "Solve with these numbers", on: { click: () => this.#again() } });
    this.reset = el("button", { type: "button", text: "Back to the first numbers", hidden: !compared,
      on: { click: () => { this.now = this.base; this.text.value = this.base.text; this.#show(); } } });
    this.result.replaceChildren(
      this.#outcome(compared),
      el("div", { class: "card" },
        el("h2", { text: "The text and its model" }),
        el("p", { class: "muted" }, "Change a number in a sentence to see what it does."),
        this.#key(),
        this.#sentences(),
        el("div", { class: "row actions" }, this.apply, this.reset, this.whatIf)),
      this.#notes(),
      this.now.formulation.model ? this.#exports() : "");
    this.#offer();
  }

  #offer() {
    this.apply.hidden = ![...this.result.querySelectorAll("input.inline")].some((input) => input.value !== input.told);
  }

  // ---- sentences -------------------------------------------------------------------------------------------------

  #sentences() {
    const { text, sentences, statements, parts, findings, conflict } = this.now;
    const numbers = { count: 0, base: this.base.numbers.map(([, digits]) => digits) };
    const within = ([start, end], one) => one.at && one.at[0] >= start && one.at[0] < end;
    const items = sentences.map((range, index) => {
      const here = statements.filter((one) => within(range, one));
      const about = findings.filter((one) => within(range, one));
      const lacking = about.filter((one) => NOT_UNDERSTOOD.includes(one.topic));
      const words = parts.filter((one) => within(range, one));
      const kinds = [...new Set(here.map(classOf))];
      const name = kinds[0] ?? (lacking.length ? "open" : "data");
      const uses = [...new Set(words.map((one) => one.name))].filter((one) => !kinds.includes(one));
      const tags = kinds.length || uses.length ? kinds : [name];
      const clash = here.some((one) => conflict.has(one.id));
      return el("li", { class: `is-${name}${clash ? " clash" : ""}` },
        el("div", { class: "said" },
          this.#sentence(text, range, words, numbers, index + 1),
          tags.map((kind) => el("span", { class: `tag is-${kind}`, text: CLASSES[kind][0] })),
          uses.map((kind) => el("span", { class: `tag is-${kind}`, text: `used by: ${CLASSES[kind][0]}` })),
          clash && el("span", { class: "tag bad", text: "part of the conflict" })),
        el("div", { class: "told" }, here.map(toldOf),
          about.map((one) => el("p", { class: lacking.includes(one) ? "finding" : "finding assumed", text: one.sentence }))));
    });
    const elsewhere = statements.filter((one) => !sentences.some((range) => within(range, one)));
    if (elsewhere.length) {
      items.push(el("li", { class: elsewhere.some((one) => conflict.has(one.id)) ? "is-other clash" : "is-other" },
        el("p", { class: "sentence muted", text: "Derived, or said nowhere in particular" }),
        el("div", { class: "told" }, elsewhere.map(toldOf))));
    }
    return el("ol", { class: "sentences" }, items);
  }

  /** A sentence as text, its numbers as fields, the words that statements come from marked. */
  #sentence(text, [start, end], words, numbers, which) {
    const cuts = [];
    for (const match of text.slice(start, end).matchAll(NUMBER)) {
      cuts.push([start + match.index, start + match.index + match[0].length, match[0]]);
    }
    const length = (one) => one.at[1] - one.at[0];
    const innermost = (at) => words.filter((one) => one.at[0] <= at && at < one.at[1]).sort((a, b) => length(a) - length(b))[0];
    const borders = new Set([start, end, ...cuts.flatMap(([from, to]) => [from, to]),
      ...words.flatMap((one) => one.at).filter((at) => at > start && at < end)]);
    const points = [...borders].sort((a, b) => a - b);
    const parts = [];
    for (let i = 0; i + 1 < points.length; i++) {
      const [from, to] = [points[i], points[i + 1]];
      const cut = cuts.find(([begin, finish]) => begin <= from && to <= finish);
      if (cut && cut[0] !== from) continue; // a border inside a number
      const piece = cut ? this.#number(cut[2], numbers, which) : text.slice(from, to);
      const owner = innermost(from);
      parts.push(owner ? el("mark", { class: `is-${owner.name}` }, piece) : piece);
    }
    return el("p", { class: "sentence" }, parts);
  }

  #number(told, numbers, which) {
    const before = numbers.base[numbers.count++];
    const input = el("input", { class: before === told ? "inline" : "inline edited", inputmode: "decimal", value: told,
      size: Math.max(1, told.length), "aria-label": `number ${told} in sentence ${which}`,
      title: before === told ? null : `was ${before}` });
    input.told = told;
    input.addEventListener("input", () => {
      input.classList.toggle("edited", input.value !== before);
      input.size = Math.max(1, input.value.length);
      this.#offer();
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#again();
      if (event.key === "Escape") {
        input.value = told;
        input.dispatchEvent(new Event("input"));
      }
    });
    return input;
  }

  /** Solves the text again with the numbers as they stand in the sentences. */
  async #again() {
    const inputs = [...this.result.querySelectorAll("input.inline")];
    const wrong = inputs.find((input) => !/^\d+(?:,\d{3})*(?:\.\d+)?$/.test(input.value.trim()));
    if (wrong) {
      say(this.whatIf, `"${wrong.value}" is not a number here: write digits, such as 12 or 2.5.`);
      wrong.focus();
      return;
    }
    const text = this.now.numbers.reduceRight(
      (whole, [at, digits], i) => whole.slice(0, at) + inputs[i].value.trim() + whole.slice(at + digits.length), this.now.text);
    const found = await this.#solve(text, this.whatIf);
    if (!found) return;
    this.now = found;
    this.text.value = text;
    this.#show();
  }

  // ---- what came of it -------------------------------------------------------------------------------------------

  #outcome(compared) {
    const { explained, formulation } = this.now;
    const result = explained?.result;
    if (!result) {
      return el("div", { class: "card" }, el("p", { class: "headline bad", text: `Not solved: ${formulation.reason}.` }));
    }
    const found = result.status === "optimal" || result.status === "feasible";
    const before = compared ? this.base.explained?.result : null;
    return el("div", { class: "card" },
      el("p", { class: found ? "headline" : "headline bad", text: result.headline }),
      result.conflict.length > 0 && el("ul", { class: "plain" }, result.conflict.map((one) =>
        el("li", {}, one.words.join("; ") || one.what,
          one.source?.sentence && el("span", { class: "muted", text: ` — “${one.source.sentence}”` })))),
      result.remarks.map((line) => el("p", { class: "muted", text: line })),
      sure(formulation),
      before ? compare(before, result) : Object.keys(result.values).length > 0 && this.#solution(result));
  }

  #solution(result) {
    const about = Object.fromEntries(this.now.explained.variables.map((one) => [one.name, one]));
    const rows = Object.entries(result.values).map(([name, value]) => {
      const one = about[name] ?? about[name.split("[")[0]] ?? {};
      return [name, shown(value), one.unit, one.label === name ? "" : one.label, one.domain];
    });
    const used = ["variable", "value", "unit", "meaning", "may be"].map((name, i) => [name, i])
      .filter(([name, i]) => name === "variable" || name === "value" || rows.some((row) => row[i]));
    return table("Solution", used.map(([name]) => name), rows.map((row) => used.map(([, i]) => row[i] ?? "")), ["value"]);
  }

  #key() {
    const there = new Set(["data", ...this.now.statements.map(classOf)]);
    if (this.now.findings.some((one) => NOT_UNDERSTOOD.includes(one.topic))) there.add("open");
    return el("p", { class: "class-key", "aria-label": "Colours" },
      Object.keys(CLASSES).filter((name) => there.has(name))
        .map((name) => el("span", { class: `tag is-${name}`, text: CLASSES[name][0] })));
  }

  #notes() {
    const loose = this.now.findings.filter((one) => !one.span);
    if (!loose.length) return "";
    return el("div", { class: "card" }, el("h2", { text: "To look at" }),
      el("ul", { class: "plain" }, loose.map((one) => el("li", { text: one.sentence }))));
  }

  #exports() {
    const trouble = el("p", { class: "error", role: "alert", hidden: true });
    const { model } = this.now.formulation;
    const write = async (format) => {
      say(trouble, "");
      try {
        const { files } = await ask("/v1/export", { model, format });
        for (const file of files) download(file.name, file.content, "text/plain");
      } catch (error) {
        say(trouble, error.message);
      }
    };
    return el("div", { class: "card row actions exports" }, el("h2", { text: "Export" }),
      Object.entries(FORMATS).map(([format, name]) =>
        el("button", { type: "button", text: name, on: { click: () => write(format) } })),
      trouble);
  }
}

function classOf(statement) {
  if (statement.id === "objective") return "objective";
  return CLASS_OF[statement.kind] ?? "other";
}

/** How likely the model is right where a language model read the text, and what the next likely one says differently. */
function sure({ confidence, alternatives, rival }) {
  if (confidence === null) return "";
  const told = `This model is right with probability ${confidence.toFixed(2)}, as far as votes and checks can say.`;
  return el("div", { class: "muted" }, el("p", { text: told }),
    rival.length > 0 && el("p", { text: `The next likely model (${alternatives[0].confidence.toFixed(2)}):` }),
    rival.length > 0 && el("ul", { class: "plain" }, rival.map((line) => el("li", { text: line }))));
}

function toldOf(one) {
  const lines = one.algebra.length ? one.algebra : one.words;
  return el("div", {},
    lines.map((line) => el("p", { class: "algebra", text: line })),
    el("p", { class: "words", text: [one.label, one.outcome].filter(Boolean).join(" · ") }));
}

/** Values before and after a change, side by side. */
function compare(before, after) {
  const names = [...new Set([...Object.keys(before.values), ...Object.keys(after.values)])];
  const row = (name, a, b) => {
    const change = isFinite(a) && isFinite(b) && a !== null && b !== null ? Number(b) - Number(a) : null;
    return [name, shown(a), shown(b), change === null ? "–" : `${change > 0 ? "+" : ""}${number(change)}`, shown(a) !== shown(b)];
  };
  const rows = [
    ["status", before.status, after.status, "", before.status !== after.status],
    row(after.unit ? `objective (${after.unit})` : "objective", before.objective, after.objective),
    ...names.map((name) => row(name, before.values[name] ?? null, after.values[name] ?? null)),
  ];
  const made = table("Before and after", ["", "before", "after", "change"], rows.map((cells) => cells.slice(0, 4)),
    ["before", "after", "change"]);
  made.querySelectorAll("tbody tr").forEach((line, i) => line.classList.toggle("changed", rows[i][4]));
  return made;
}

/** An exact number as the server writes it: a number, or a text such as "1/3". */
function shown(value) {
  return typeof value === "number" ? number(value) : String(value ?? "–");
}

function* offsetsOf(text) {
  let at = 0;
  for (const character of text) {
    yield at;
    at += character.length;
  }
  yield at;
}
