// Accuracy against cost: one line a run, drawn as SVG with d3's scales, and the same figures as a table.

import { compact, el, number, table } from "./dom.js";

const d3 = globalThis.d3;
const SVG = "http://www.w3.org/2000/svg";
const SIZE = { width: 860, height: 380, left: 52, right: 18, top: 14, bottom: 46 };
export const MOST_LINES = 6;
const percent = d3.format(".1%");

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Lines of `series` ({name, points: [{x, y, low, high}]}) over a logarithmic axis of tokens, with a key and a table. */
export function chart(series, xName, yName) {
  const points = series.flatMap((one) => one.points);
  const [least, most] = d3.extent(points, (point) => point.x);
  const high = Math.min(1, Math.ceil((d3.max(points, (point) => point.high) + 0.02) * 10) / 10);
  const x = d3.scaleLog([least / 1.1, Math.max(most, least * 2) * 1.1], [SIZE.left, SIZE.width - SIZE.right]);
  const y = d3.scaleLinear([0, high], [SIZE.height - SIZE.bottom, SIZE.top]);
  const xTicks = x.ticks(6).filter((tick) => /^[125]/.test(tick.toExponential()));
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img",
    "aria-label": `${yName} against ${xName}; the table below has the figures` });
  for (const tick of y.ticks(6)) {
    drawing.append(
      svg("line", { class: "grid", x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: y(tick), y2: y(tick) }),
      svg("text", { x: SIZE.left - 8, y: y(tick) + 4, "text-anchor": "end" }, `${Math.round(100 * tick)}%`));
  }
  for (const tick of xTicks) {
    drawing.append(
      svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: SIZE.height - SIZE.bottom, y2: SIZE.height - SIZE.bottom + 5 }),
      svg("text", { x: x(tick), y: SIZE.height - SIZE.bottom + 19, "text-anchor": "middle" }, compact(tick)));
  }
  drawing.append(svg("text", { x: (SIZE.left + SIZE.width - SIZE.right) / 2, y: SIZE.height - 6, "text-anchor": "middle" }, xName));
  const line = d3.line((point) => x(point.x), (point) => y(point.y)).curve(d3.curveStepAfter);
  series.forEach(({ name, points: own }, i) => {
    drawing.append(svg("path", { class: `s${i}`, d: line(own) }));
    for (const point of own) {
      drawing.append(svg("line", { class: `w${i}`, x1: x(point.x), x2: x(point.x), y1: y(point.low), y2: y(point.high) }));
      drawing.append(svg("circle", { class: `f${i}`, cx: x(point.x), cy: y(point.y), r: 3.5 },
        svg("title", {}, `${name}: ${percent(point.y)} at ${number(Math.round(point.x))}`)));
    }
  });
  const key = el("ul", { class: "keys" }, series.map(({ name }, i) => el("li", {},
    svg("svg", { class: "chart", viewBox: "0 0 28 10", "aria-hidden": "true" },
      svg("path", { class: `s${i}`, d: "M0 5H28" }), svg("circle", { class: `f${i}`, cx: 14, cy: 5, r: 3.5 })), name)));
  const rows = series.flatMap(({ name, points: own }) =>
    own.map((point) => [name, number(Math.round(point.x)), percent(point.y), `${percent(point.low)} to ${percent(point.high)}`]));
  return el("figure", {}, drawing, key,
    el("details", {}, el("summary", { text: "The figures" }),
      table(`${yName} against ${xName}`, ["run", xName, yName, "95% interval"], rows, [xName, yName, "95% interval"])));
}
