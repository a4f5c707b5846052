// A step of a search in words: for the panel of an opened node, for a solution, and for those who hear the tree.

import { el, fact, number } from "./dom.js";

export function isAnswer(node) {
  return node.answer !== null && node.answer !== undefined;
}

export function isScored(node) {
  return node.value !== null && node.value !== undefined;
}

export function oneLine(text) {
  return (text ?? "").replace(/\s+/g, " ").trim();
}

/** A node in one line. */
export function describe(node) {
  if (node.id === 0) return `The question; ${node.children.length} first steps`;
  const text = oneLine(node.text);
  const told = [text.length > 120 ? `${text.slice(0, 119)}…` : text || "(empty step)"];
  told.push(isScored(node) ? `value ${node.value.toFixed(3)}` : "not scored");
  if (node.visits) told.push(`${node.visits} visits`);
  if (isAnswer(node)) told.push(`answer ${node.answer}`);
  return told.join("; ");
}

/** What the tree's colours, sizes and lines mean. */
export function legend() {
  return el("div", { class: "legend" },
    el("span", {}, "value 0 ", el("i", { class: "ramp" }), " 1"),
    el("span", {}, el("i", { class: "dot hollow" }), " not scored"),
    el("span", {}, el("i", { class: "dot" }), el("i", { class: "dot big" }), " visits"),
    el("span", {}, el("i", { class: "dot ringed" }), " answer"),
    el("span", {}, el("i", { class: "stroke" }), " chosen path"));
}

/** The panel of an opened node: its numbers and the whole path. */
export function nodePanel(node, path, question) {
  return [
    el("h3", { text: path.length ? `Step ${path.length}` : "The question" }),
    el("dl", { class: "facts" },
      fact("value", isScored(node) ? node.value.toFixed(3) : "not scored"), fact("visits", number(node.visits)), fact("samples", number(node.samples)),
      fact("continuations", number(node.children.length)), isAnswer(node) && fact("answer", node.answer)),
    question && el("p", { class: "question", text: question }),
    stepList(path),
  ].filter(Boolean);
}

/** Steps, each beside its value as a number and a bar. */
export function stepList(steps) {
  return el("ol", { class: "steps" }, steps.map((step) => el("li", {},
    el("span", { class: "step-text", text: step.text.trim() || "(empty)" }),
    isScored(step)
      ? el("span", { class: "step-value" }, step.value.toFixed(2),
          el("meter", { min: 0, max: 1, value: step.value, "aria-label": "value" }))
      : el("span", { class: "step-value", text: "–" }))));
}
