// A search tree on a canvas: d3's tidy layout from left to right, grown node by node, with zoom, pan and keyboard.
//
// A node has a place in units: its depth, and a row that the layout gives it. The two axes are scaled apart: rows
// shrink until the whole tree fits, columns only until it fits across. So 10,000 nodes are an outline at first, and
// become readable lines when one zooms in.

import { el } from "./dom.js";
import { describe, isAnswer, isScored, legend, oneLine } from "./steps.js";

const d3 = globalThis.d3;

const MARGIN = 22; // pixels around the fitted tree
const ROW_MOST = 34; // pixels per row at most when fitted
const ROW_LABELLED = 15; // from here on there is room for text
const COLUMN_MOST = 190;
const LAYOUT_PAUSE = 300; // milliseconds between two layouts at least, and 8 times as long as one took
const GLIDE = 260; // milliseconds in which nodes move to their new places
const GLIDE_NODES = 2000; // larger trees jump
const SHADES = 24;

let made = 0; // elements need ids of their own

export class TreeView {
  /** `onOpen(node, path)` hears which node is to be shown; the path is from the first step to it. */
  constructor({ label, onOpen }) {
    this.onOpen = onOpen;
    this.name = `tree-${++made}`;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.item = el("div", { id: this.name, role: "treeitem", class: "unseen" });
    this.stage = el("div", { class: "stage", role: "tree", tabindex: 0, "aria-label": label }, this.canvas, this.item);
    const button = (text, title, act) =>
      el("button", { type: "button", class: "small", title, "aria-label": title, on: { click: act } }, text);
    this.element = el("div", { class: "tree" }, this.stage,
      el("div", { class: "tree-bar" },
        legend(),
        el("div", { class: "buttons" },
          button("−", "Zoom out", () => this.zoomBy(1 / 1.5)),
          button("+", "Zoom in", () => this.zoomBy(1.5)),
          button("Fit", "Show the whole tree", () => this.fit()))));
    this.context = this.canvas.getContext("2d");
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.#readColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#readColours();
      this.#draw();
    });
    new ResizeObserver(() => this.#resize()).observe(this.stage);
    this.#listen();
    this.clear();
  }

  /** Takes all nodes away. */
  clear() {
    this.nodes = [];
    this.columns = [];
    this.chosen = null; // the node the keyboard is at
    this.marked = new Set(); // the path of the answer
    this.follow = true; // the view is fitted to the tree until the user moves it
    this.view = { row: ROW_MOST, column: COLUMN_MOST, x: MARGIN, y: 0 };
    this.goal = null;
    this.rows = [0, 0];
    this.stale = false;
    this.nextLayout = 0;
    this.mostVisits = 1;
    this.#describe();
    this.#draw();
  }

  /** Adds new nodes, parents first. */
  add(nodes) {
    for (const given of nodes) {
      const node = { ...given, up: null, children: [], level: 0, from: 0, at: 0, to: 0, placed: false };
      this.nodes[node.id] = node;
      this.mostVisits = Math.max(this.mostVisits, weight(node));
      const up = node.id === 0 ? null : (this.nodes[node.parent] ?? this.nodes[0]);
      if (up) {
        node.up = up;
        up.children.push(node);
      }
    }
    this.stale = true;
    this.#draw();
  }

  /** Takes new values and visits: triples of id, value, visits. */
  update(changes) {
    for (const [id, value, visits] of changes) {
      const node = this.nodes[id];
      if (!node) continue;
      node.value = value;
      node.visits = visits;
      this.mostVisits = Math.max(this.mostVisits, weight(node));
    }
    this.#draw();
  }

  /** Marks the path whose steps have these texts; does nothing where there is none. */
  mark(texts) {
    let node = this.nodes[0];
    const path = [node];
    for (const text of texts) {
      node = node?.children.find((child) => child.text === text);
      if (!node) return;
      path.push(node);
    }
    this.marked = new Set(path);
    this.#draw();
  }

  /** Marks these nodes and their root. */
  markNodes(ids) {
    this.marked = new Set(ids.length ? [this.nodes[0], ...ids.map((id) => this.nodes[id])] : []);
    this.#draw();
  }

  /** Brings the whole tree into view, and keeps it there while it grows. */
  fit() {
    this.follow = true;
    this.#aim();
    this.#draw();
  }

  /** Chooses a node: by keyboard, pointer or program. */
  choose(node, open = false) {
    if (!node) return;
    this.chosen = node;
    this.#describe();
    this.#reveal(node);
    this.#draw();
    if (open) this.onOpen(node, pathTo(node));
  }

  /** Zooms about the middle. */
  zoomBy(factor) {
    this.#zoom(factor, this.width / 2, this.height / 2);
  }

  // ---- layout ----------------------------------------------------------------------------------------------------

  #layout() {
    const began = performance.now();
    const root = d3.tree().nodeSize([1, 1]).separation(() => 1)(d3.hierarchy(this.nodes[0]));
    let [low, high] = [Infinity, -Infinity];
    const columns = [];
    const glide = !this.still.matches && this.nodes.length <= GLIDE_NODES;
    root.each((place) => { // level by level, each in the order of its rows
      const node = place.data;
      node.level = place.depth;
      node.from = node.placed ? node.at : (node.up?.at ?? place.x);
      node.to = place.x;
      node.at = glide ? node.from : node.to;
      node.placed = true;
      low = Math.min(low, place.x);
      high = Math.max(high, place.x);
      (columns[place.depth] ??= []).push(node);
    });
    this.columns = columns;
    this.rows = [low, high];
    this.glideEnd = glide ? began + GLIDE : 0;
    this.stale = false;
    if (this.follow) this.#aim(glide);
    const now = performance.now();
    this.nextLayout = now + Math.max(LAYOUT_PAUSE, 8 * (now - began));
  }

  /** The view that shows everything. */
  #aim(glide = !this.still.matches) {
    const [low, high] = this.rows;
    const deepest = Math.max(1, this.columns.length - 1);
    const height = this.height - 2 * MARGIN;
    const row = Math.min(ROW_MOST, height / Math.max(1, high - low));
    // The last column's text needs room beside it where there is room for text at all.
    const room = row >= ROW_LABELLED ? Math.min(120, this.width / 5) : 0;
    const column = Math.min(COLUMN_MOST, (this.width - 2 * MARGIN - room) / deepest);
    const goal = { row, column, x: MARGIN, y: this.height / 2 - (row * (low + high)) / 2 };
    this.fitted = column;
    if (glide && this.width) this.goal = { from: this.view, to: goal, end: performance.now() + GLIDE };
    else [this.view, this.goal] = [goal, null];
  }

  #zoom(factor, x, y) {
    const view = this.view;
    const [depth, row] = [(x - view.x) / view.column, (y - view.y) / view.row];
    const rowNow = Math.min(60, Math.max(view.row * factor, 0.02));
    // Columns widen only where rows become readable.
    const share = Math.min(1, Math.max(0, (rowNow - 8) / 14));
    const fitted = this.fitted ?? COLUMN_MOST;
    const column = fitted + share * Math.max(0, COLUMN_MOST - fitted);
    this.follow = false;
    this.goal = null;
    this.view = { row: rowNow, column, x: x - depth * column, y: y - row * rowNow };
    this.#draw();
  }

  #pan(dx, dy) {
    this.follow = false;
    this.goal = null;
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.#draw();
  }

  #reveal(node) {
    if (!node.placed || !this.width) return;
    const { row, column, x, y } = this.goal?.to ?? this.view;
    const [left, top] = [x + node.level * column, y + node.to * row];
    const within = (at, size) => Math.min(Math.max(at, MARGIN), Math.max(MARGIN, size - MARGIN));
    const [dx, dy] = [within(left, this.width) - left, within(top, this.height) - top];
    if (dx || dy) this.#pan(dx, dy);
  }

  // ---- drawing ---------------------------------------------------------------------------------------------------

  #draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#paint();
    });
  }

  #resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    [this.width, this.height] = [width, height];
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.follow && width) this.#aim(false);
    this.#paint(); // a canvas that changes its size is empty until it is drawn
  }

  #paint() {
    if (!this.width || !this.context) return;
    const now = performance.now();
    if (this.stale && this.nodes[0]) {
      if (now >= this.nextLayout) this.#layout();
      else this.later ??= setTimeout(() => { this.later = null; this.#draw(); }, this.nextLayout - now);
    }
    this.#glide(now);
    const { context: pen, view } = this;
    pen.clearRect(0, 0, this.width, this.height);
    const shown = this.#shown(view);
    this.#edges(pen, view, shown);
    this.#dots(pen, view, shown);
    if (view.row >= ROW_LABELLED && view.column >= 56) this.#labels(pen, view, shown);
  }

  #glide(now) {
    const eased = (end) => d3.easeCubicOut(Math.min(1, Math.max(0, 1 - (end - now) / GLIDE)));
    if (this.glideEnd) {
      const share = eased(this.glideEnd);
      for (const column of this.columns) for (const n of column) n.at = n.from + share * (n.to - n.from);
      if (share === 1) this.glideEnd = 0;
      else this.#draw();
    }
    if (this.goal) {
      const { from, to, end } = this.goal;
      const share = eased(end);
      this.view = Object.fromEntries(Object.keys(to).map((key) => [key, from[key] + share * (to[key] - from[key])]));
      if (share === 1) this.goal = null;
      else this.#draw();
    }
  }

  /** What is drawn: of the nodes of a column that fall on one line of pixels only the first. */
  #shown(view) {
    const shown = [];
    const apart = view.row < 1 ? 1 : 0;
    this.columns.forEach((column, level) => {
      const x = view.x + level * view.column;
      if (x < -view.column || x > this.width + view.column) return;
      let last = -Infinity;
      for (const node of column) {
        const y = view.y + node.at * view.row;
        if (y < -40) continue;
        if (y > this.height + 40) break;
        if (y - last < apart && node !== this.chosen && !this.marked.has(node)) continue;
        last = y;
        shown.push([node, x, y]);
      }
    });
    return shown;
  }

  #edges(pen, view, shown) {
    const special = [];
    const open = new Set(this.chosen ? [...pathTo(this.chosen), this.nodes[0]] : []);
    const line = ([node, x, y]) => {
      const [fromX, fromY] = [x - view.column, view.y + node.up.at * view.row];
      pen.moveTo(fromX, fromY);
      if (view.row < 4) pen.lineTo(x, y);
      else pen.bezierCurveTo(fromX + view.column / 2, fromY, x - view.column / 2, y, x, y);
    };
    pen.beginPath();
    for (const place of shown) {
      if (!place[0].up) continue;
      if (this.marked.has(place[0]) || open.has(place[0])) special.push(place);
      else line(place);
    }
    pen.strokeStyle = this.colours.line;
    pen.lineWidth = view.row < 4 ? 0.6 : 1.1;
    pen.stroke();
    for (const [set, colour, width] of [[this.marked, this.colours.mark, 4.5], [open, this.colours.accent, 1.8]]) {
      pen.beginPath();
      special.filter(([node]) => set.has(node)).forEach(line);
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  #radius(node, view) {
    const share = Math.log1p(weight(node)) / Math.log1p(this.mostVisits);
    return Math.max(1.1, Math.min(3.2 + 6.3 * share, view.row * 0.46));
  }

  #dots(pen, view, shown) {
    const groups = new Map();
    for (const place of shown) {
      const { value } = place[0];
      const shade = !isScored(place[0]) ? -1 : Math.round(Math.min(1, Math.max(0, value)) * SHADES);
      if (!groups.has(shade)) groups.set(shade, []);
      groups.get(shade).push(place);
    }
    const tiny = view.row < 3;
    for (const [shade, places] of groups) {
      pen.beginPath();
      for (const [node, x, y] of places) {
        const r = this.#radius(node, view);
        if (tiny) pen.rect(x - 1.5, y - 0.6, 3, 1.2);
        else {
          pen.moveTo(x + r, y);
          pen.arc(x, y, r, 0, 2 * Math.PI);
        }
      }
      pen.fillStyle = shade < 0 ? this.colours.paper : this.colours.shades[shade];
      if (tiny && shade < 0) pen.fillStyle = this.colours.muted;
      pen.fill();
      if (tiny) continue;
      pen.strokeStyle = shade < 0 ? this.colours.muted : this.colours.paper;
      pen.lineWidth = 1.2;
      pen.stroke();
    }
    pen.strokeStyle = this.colours.ink;
    pen.lineWidth = 1.3;
    pen.beginPath();
    if (!tiny) for (const [node, x, y] of shown) {
      if (!isAnswer(node)) continue;
      const r = this.#radius(node, view) + 2.4;
      pen.moveTo(x + r, y);
      pen.arc(x, y, r, 0, 2 * Math.PI);
    }
    pen.stroke();
    const here = this.chosen && shown.find(([node]) => node === this.chosen);
    if (here) {
      pen.beginPath();
      pen.arc(here[1], here[2], Math.max(6, this.#radius(here[0], view) + 5), 0, 2 * Math.PI);
      pen.strokeStyle = this.colours.accent;
      pen.lineWidth = 2.4;
      pen.stroke();
    }
  }

  #labels(pen, view, shown) {
    pen.font = this.colours.font;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const advance = pen.measureText("abcdefghij 0123456789").width / 21;
    for (const [node, x, y] of shown) {
      const text = oneLine(isAnswer(node) ? `= ${node.answer}` : node.text);
      if (!text) continue;
      const gives = isAnswer(node);
      const r = this.#radius(node, view) + (gives ? 6 : 4);
      const last = node.children.length === 0;
      const outermost = node.level === this.columns.length - 1;
      const most = Math.floor(((outermost ? Math.max(view.column, this.width - x) : view.column) - r - 14) / advance);
      if (most < (gives ? 4 : 10)) continue;
      const shownText = text.length > most ? `${text.slice(0, most - 1)}…` : text;
      // An inner node's line leaves it to the right: the text stands above the line.
      const up = last ? 0 : Math.min(9, view.row / 2);
      pen.strokeStyle = this.colours.paper;
      pen.lineWidth = 3.5;
      pen.strokeText(shownText, x + r, y - up);
      pen.fillStyle = node === this.chosen || this.marked.has(node) ? this.colours.ink : this.colours.muted;
      pen.fillText(shownText, x + r, y - up);
    }
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(name).trim();
    const scale = d3.interpolateRgbBasis([named("--value-low"), named("--value-middle"), named("--value-high")]);
    this.colours = {
      ink: named("--ink"), muted: named("--muted"), line: named("--edge"), paper: named("--paper"),
      accent: named("--accent"), mark: named("--mark"), font: `12px ${named("--mono")}`,
      shades: d3.quantize(scale, SHADES + 1),
    };
  }

  // ---- pointer and keyboard --------------------------------------------------------------------------------------

  #listen() {
    const focused = () => document.activeElement === this.stage;
    let before = d3.zoomIdentity;
    // d3-zoom understands wheels, mice and fingers; what it says is turned into the two scales here.
    const zoom = d3.zoom()
      .filter((event) => {
        if (event.type === "wheel") return event.ctrlKey || event.metaKey || focused();
        if (event.type.startsWith("touch")) return focused() || event.touches.length > 1;
        return event.type !== "dblclick" && !event.button; // the page scrolls where the tree is not in use
      })
      .clickDistance(4)
      .on("zoom", ({ transform }) => {
        const factor = transform.k / before.k;
        if (Math.abs(factor - 1) < 1e-9) this.#pan(transform.x - before.x, transform.y - before.y);
        else {
          const fixed = (now, then) => (now - factor * then) / (1 - factor);
          this.#zoom(factor, fixed(transform.x, before.x), fixed(transform.y, before.y));
        }
        before = transform;
      });
    d3.select(this.canvas).call(zoom);
    this.canvas.addEventListener("pointerdown", () => this.stage.focus({ preventScroll: true }));
    this.canvas.addEventListener("click", (event) => {
      const found = this.#nearest(event.offsetX, event.offsetY);
      if (found) this.choose(found, true);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const found = event.buttons ? null : this.#nearest(event.offsetX, event.offsetY);
      this.canvas.title = found ? describe(found) : "";
      this.canvas.classList.toggle("over", Boolean(found));
    });
    this.stage.addEventListener("focus", () => {
      if (!this.chosen && this.nodes[0]) this.choose(this.nodes[0]);
    });
    this.stage.addEventListener("keydown", (event) => this.#key(event));
  }

  #nearest(x, y) {
    const { view } = this;
    const column = this.columns[Math.round((x - view.x) / view.column)];
    if (!column) return null;
    const row = (y - view.y) / view.row;
    const after = d3.bisector((node) => node.at).left(column, row);
    const near = [column[after - 1], column[after]].filter(Boolean);
    const best = d3.least(near, (node) => Math.abs(node.at - row));
    if (!best) return null;
    const dx = Math.max(0, Math.abs(x - (view.x + best.level * view.column)) - 2);
    return Math.hypot(dx, (best.at - row) * view.row) <= Math.max(14, this.#radius(best, view) + 4) ? best : null;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.chosen ?? this.nodes[0];
    const column = at ? (this.columns[at.level] ?? []) : [];
    const moves = {
      ArrowRight: () => d3.greatest(at.children, (node) => node.value ?? -1),
      ArrowLeft: () => at.up,
      ArrowUp: () => column[column.indexOf(at) - 1],
      ArrowDown: () => column[column.indexOf(at) + 1],
      Home: () => this.nodes[0],
      End: () => [...this.marked].at(-1) ?? d3.greatest(this.nodes, (n) => (n?.children.length === 0 ? (n.value ?? -1) : -2)),
    };
    const acts = {
      Enter: () => this.choose(at, true),
      " ": () => this.choose(at, true),
      "+": () => this.zoomBy(1.4),
      "=": () => this.zoomBy(1.4),
      "-": () => this.zoomBy(1 / 1.4),
      0: () => this.fit(),
    };
    if (at && moves[event.key]) this.choose(moves[event.key]());
    else if (at && acts[event.key]) acts[event.key]();
    else return;
    event.preventDefault();
  }

  /** Tells assistive technology which node the keyboard is at. */
  #describe() {
    const node = this.chosen;
    if (!node) {
      this.stage.removeAttribute("aria-activedescendant");
      this.item.textContent = "No step yet.";
      return;
    }
    const siblings = node.up?.children ?? [node];
    this.item.textContent = describe(node);
    this.item.setAttribute("aria-level", (node.level || 0) + 1);
    this.item.setAttribute("aria-setsize", siblings.length);
    this.item.setAttribute("aria-posinset", siblings.indexOf(node) + 1);
    this.item.setAttribute("aria-selected", "true");
    if (node.children.length) this.item.setAttribute("aria-expanded", "true");
    else this.item.removeAttribute("aria-expanded");
    this.stage.setAttribute("aria-activedescendant", this.name);
  }
}

/** Steps from the first to `node`; the question itself is none of them. */
function pathTo(node) {
  const path = [];
  for (let at = node; at?.up; at = at.up) path.unshift(at);
  return path;
}

function weight(node) {
  return Math.max(node.visits ?? 0, node.samples ?? 0);
}
