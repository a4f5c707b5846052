// Elements and numbers. Every text from a model, a question or a server becomes a text node, never markup.

/** An element; `props` are attributes, `class`, `text`, and `on` for listeners. A false or null attribute is left out. */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") made.textContent = value;
    else if (name === "on") for (const [event, heard] of Object.entries(value)) made.addEventListener(event, heard);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Shows a line of error, or hides it for an empty one. */
export function say(place, line) {
  place.textContent = line;
  place.hidden = !line;
}

/** A term and its value, for a list of facts. */
export function fact(term, value) {
  return el("div", {}, el("dt", { text: term }), el("dd", { text: value }));
}

/** A table of texts. Cells may be nodes; columns named in `right` hold numbers. */
export function table(caption, header, rows, right = []) {
  const cell = (kind, value, name) =>
    el(kind, { class: right.includes(name) ? "number" : null, scope: kind === "th" ? "col" : null },
       value instanceof Node ? value : String(value ?? "–"));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { text: caption }),
      el("thead", {}, el("tr", {}, header.map((name) => cell("th", name, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value, i) => cell("td", value, header[i])))))));
}

const WHOLE = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number for people; a dash where it is unknown. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? WHOLE.format(value) : SHORT.format(value);
}

/** A large number in few characters: 1.2K, 3.4M. */
export function compact(value) {
  return value === null || value === undefined ? "–" : COMPACT.format(value);
}

/** Operations: 3.1 TFLOP. */
export function operations(value) {
  if (value === null || value === undefined) return "–";
  const units = ["", "k", "M", "G", "T", "P", "E"];
  const power = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(value) / 3)) : 0;
  return `${SHORT.format(value / 1000 ** power)} ${units[power]}FLOP`;
}

/** Hands the text to the browser as a file. */
export function download(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
