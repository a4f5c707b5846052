// Routes, the server's configuration, and the key.

import { ask, hasKey, useKey } from "./api.js";
import { AskView } from "./ask.js";
import { say } from "./dom.js";
import { FormulateView } from "./formulate.js";
import { RunsView } from "./runs.js";

const place = (id) => document.getElementById(id);
const VIEWS = { ask: AskView, formulate: FormulateView, runs: RunsView };
const views = {};
let config = null;

/** Shows the view that the address names: #/ask, #/formulate, #/runs, #/runs/NAME, #/runs/NAME/INDEX. */
function route() {
  const [name, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decode);
  const shown = name in VIEWS ? name : "ask";
  for (const id of Object.keys(VIEWS)) place(id).hidden = id !== shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${place(shown).querySelector("h1").textContent} · stepsolver`;
  if (!config) return;
  views[shown] ??= new VIEWS[shown](place(shown), config);
  views[shown].show?.(rest);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a broken escape names nothing that exists
  }
}

async function start() {
  try {
    config = await ask("/v1/config");
  } catch (error) {
    say(place("trouble"), error.message);
    return;
  }
  say(place("trouble"), "");
  place("version").textContent = config.version;
  place("nav-runs").hidden = !config.runs;
  place("key").hidden = !config.key_needed || hasKey();
  route();
}

addEventListener("hashchange", () => {
  route();
  place("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("stepsolver-key-needed", () => {
  place("key").hidden = false;
  place("key-value").focus();
});
place("key").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(place("key-value").value.trim());
  place("key-value").value = "";
  place("key").hidden = true;
  if (config) route();
  else start();
});
route();
start();
