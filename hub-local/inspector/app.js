// The page: token, connection to the service, views and shortcuts.

import { membership, send } from "./act.js";
import * as api from "./api.js";
import { arrows, byId, field, make, openDialog, setText } from "./dom.js";
import * as hubs from "./hubs.js";
import * as live from "./live.js";
import * as stations from "./stations.js";
import * as store from "./store.js";
import * as tables from "./tables.js";
import * as tester from "./tester.js";
import { clock } from "./words.js";
import { poll, world } from "./world.js";

const VIEWS = ["live", "clients", "groups", "users", "hubs", "tester"];
/** Milliseconds before each attempt to reach the service again. The last value repeats. */
const DELAYS = [250, 500, 1000, 2000, 3000];

let [token, view, shortcuts] = ["", "live", true];
let stop = new AbortController();
let [wake, restartedAt] = [() => {}, undefined];

/** `#TOKEN&view=clients&user=ada`. The token stays in the fragment, so that a reload and a second tab work. */
function readAddress() {
  const [first, ...rest] = location.hash.slice(1).split("&");
  token = first.includes("=") ? "" : first;
  return new URLSearchParams(rest.join("&"));
}

function writeAddress() {
  const parameters = live.parameters();
  if (view !== "live") {
    parameters.set("view", view);
  }
  const text = [token, parameters.toString()].filter(Boolean).join("&");
  if (location.hash.slice(1) !== text) {
    history.replaceState(null, "", `#${text}`);
  }
}

function setStatus(state, text) {
  byId("status").dataset.state = state;
  setText(byId("status"), text);
}

function banner(...children) {
  byId("banner").replaceChildren(...children);
  byId("banner").hidden = children.length === 0;
}

/** The token is missing or is not that of the service. */
function askForToken(error) {
  const input = make("input", { autocomplete: "off", spellcheck: "false" });
  const open = (event) => {
    event.preventDefault();
    token = input.value.trim().replace(/^.*#/, "").split("&")[0];
    writeAddress();
    connect();
  };
  const title = token === "" ? "This address has no token." : "The service does not accept the token of this page.";
  const fix =
    token === ""
      ? "Open the address that the service printed at its start, after “Inspect”, or paste it here."
      : "Each start of the service makes a new token. Open the address that the service printed last, or paste it here.";
  setStatus("refused", "No access");
  banner(
    make("h2", {}, title),
    make("p", {}, error.fix && error.status !== 401 ? error.fix : fix),
    make(
      "form",
      { class: "line", submit: open },
      field("Address or token", input),
      make("button", { class: "primary" }, "Open"),
    ),
  );
}

const sleep = (ms) =>
  new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, ms);
  });

function query() {
  const { view: table, clients, offset, find } = tables.asked;
  return { clients: table ? clients : 0, offset, ...(find && { find }) };
}

async function refresh(polled = false) {
  if (await poll(query())) {
    restartedAt = new Date().toISOString();
    store.restarted(restartedAt);
    live.redraw();
  }
  stations.draw(polled);
  hubs.draw();
  tester.draw();
  if (tables.asked.view) {
    tables.draw(tables.asked.view);
  }
}

/** Reads the events, and reconnects until the page is closed or the token is refused. */
async function connect() {
  stop.abort();
  stop = new AbortController();
  const { signal } = stop;
  api.setToken(token);
  if (token === "") {
    askForToken({});
    return;
  }
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await refresh();
      live.begin(world.events.last);
      await api.events(
        store.last(),
        signal,
        async (instance) => {
          if (instance && instance !== world.instance) {
            await refresh();
          }
          attempt = -1;
          banner();
          setStatus(
            "online",
            restartedAt
              ? `Connected again; the service was restarted at ${clock(restartedAt).slice(0, 8)}`
              : "Connected",
          );
        },
        live.take,
      );
    } catch (error) {
      if (signal.aborted) {
        return;
      }
      if (error.status === 401 || error.status === 403) {
        askForToken(error);
        return;
      }
      setStatus("reconnecting", "The service does not answer. Reconnecting…");
    }
    if (attempt >= 0) {
      setStatus("reconnecting", "The service does not answer. Reconnecting…");
    }
    await sleep(DELAYS[Math.min(Math.max(attempt, 0), DELAYS.length - 1)]);
  }
}

async function pollForEver() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (document.hidden || byId("status").dataset.state !== "online") {
      continue;
    }
    await refresh(true).catch(() => {});
  }
}

function open(name, focus = false) {
  view = VIEWS.includes(name) ? name : "live";
  for (const it of VIEWS) {
    const tab = byId(`tab-${it}`);
    tab.setAttribute("aria-selected", it === view);
    tab.tabIndex = it === view ? 0 : -1;
    byId(it).hidden = it !== view;
  }
  if (focus) {
    byId(`tab-${view}`).focus();
  }
  byId(`tab-${view}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  tables.opened(view);
  writeAddress();
  if (byId("status").dataset.state === "online") {
    refresh().catch(() => {});
  }
}

const KEYS = [
  ["/", "search", () => (open("live"), byId("search").focus())],
  ["p", "pause or continue", () => byId("pause").click()],
  ["f", "only failures", () => byId("failures").click()],
  ["l", "the list of events", () => (open("live"), byId("list").focus())],
  ["s", "send a message", () => send()],
  ["j", "add a member to a group", () => membership("join", { hub: world.hubs[0]?.name })],
  ...VIEWS.map((name, at) => [String(at + 1), `view ${byId(`tab-${name}`).textContent}`, () => open(name, true)]),
  ["?", "this help", () => help()],
];

function help() {
  const fixed = [
    ["↑ ↓ Home End", "move in the list, the tabs"],
    ["Enter", "open the details"],
    ["Escape", "close the details or a dialog"],
  ];
  const rows = [...fixed, ...KEYS].map(([key, text]) =>
    make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, text)),
  );
  const single = make("input", { type: "checkbox", change: () => (shortcuts = single.checked) });
  single.checked = shortcuts;
  openDialog(
    "Help",
    make(
      "p",
      {},
      "A line is a call of a client with all that belongs to it: the request to the app, the sends of the method, the answer and the completion. Other events have lines of their own.",
    ),
    make("table", { class: "pairs" }, make("tbody", {}, rows)),
    make("p", {}, make("label", {}, single, " Single keys are shortcuts")),
    make(
      "p",
      { class: "soft note" },
      "The token is in the address of this page only, and is not stored. For scripts: hub-local inspect --help",
    ),
  );
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
    return;
  }
  if (event.key === "Escape") {
    if (event.target === byId("search") && byId("search").value) {
      return; // the browser empties the field
    }
    live.closeDetail();
    return;
  }
  const typing = event.target.closest?.("input, textarea, select");
  const found = shortcuts && !typing && KEYS.find(([key]) => key === event.key);
  if (found) {
    event.preventDefault();
    found[2]();
  }
}

const parameters = readAddress();
stations.start();
tables.start(() => refresh().catch(() => {}));
tester.start();
live.start(parameters, writeAddress, () => world.service);
for (const name of VIEWS) {
  byId(`tab-${name}`).addEventListener("click", () => open(name));
}
arrows(
  byId("tabs"),
  () => VIEWS.map((name) => byId(`tab-${name}`)),
  (tab) => open(tab.id.slice(4), true),
);
byId("help").addEventListener("click", help);
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => wake());
// Another address was entered in this tab.
addEventListener("hashchange", () => location.reload());
open(parameters.get("view") ?? "live");
connect();
pollForEver();
