// The list of what happens: filters, search, pause, clear, export.

import * as api from "./api.js";
import { showDetail } from "./detail.js";
import { button, byId, field, icon, make, say, setText } from "./dom.js";
import { FIELDS, exactly, filter, fromParameters, isActive, passes, toParameters } from "./filter.js";
import { RowList } from "./list.js";
import * as store from "./store.js";
import { LAMPS, lamp, summary } from "./summary.js";
import { clock, count, plural, short } from "./words.js";

const HINTS = { hub: "chat", connection: "its id", user: "ada", group: "lobby", method: "sendMessage" };
/** Above this many new rows in a second, a text states that the list is too fast to read. */
const READABLE = 50;
/** Between two updates of the list, in milliseconds; longer while many rows arrive. */
const [CALM, BUSY] = [60, 250];

let shown = [];
let paused = false;
let [arrived, held, rate] = [0, 0, 0];
let [scheduled, full] = [false, false];
let known = 0; // events up to this one happened before the page was opened
let wanted; // the event that a permalink names
let changedAddress = () => {};
const opened = { row: undefined };
const inputs = new Map();

const list = new RowList(byId("list"), byId("space"), { draw, select, open });

function draw(element, row) {
  const { icon: name, title, text, end } = summary(row);
  const state = lamp(row);
  element.dataset.lamp = state;
  element.classList.toggle("before", row.before === true);
  const sent = row.sends > 0 && row.kind !== "send";
  element.replaceChildren(
    make("span", { class: "lamp" }, LAMPS[state] && make("span", { class: "hidden" }, `${LAMPS[state]}: `)),
    make("span", { class: "at" }, clock(row.at)),
    make("span", { class: "what" }, icon(name), make("b", {}, title), " ", make("span", { class: "text" }, text)),
    make("span", { class: "who" }, row.user ?? (row.connection ? short(row.connection) : "")),
    make("span", { class: "hub" }, row.hub ?? ""),
    make(
      "span",
      { class: "sent", title: sent ? "sends while it ran" : false },
      sent ? `${count(row.sends)}→${count(row.recipients)}` : "",
    ),
    make("span", { class: "end" }, end),
  );
}

const isWide = () => matchMedia("(min-width: 1000px)").matches;

/** With the keyboard, a wide page shows the details at once; a narrow page waits for Enter. */
function select(row, byKey) {
  if (byKey && isWide()) {
    show(row);
  }
}

function open(row, byKey) {
  show(row);
  if (byKey || !isWide()) {
    byId("detail").querySelector("h2")?.focus();
  }
}

function show(row) {
  opened.row = row;
  byId("live").classList.add("has-detail");
  showDetail(row, { follow, close: closeDetail });
  changedAddress();
}

export function closeDetail() {
  if (!opened.row) {
    return;
  }
  opened.row = undefined;
  byId("live").classList.remove("has-detail");
  byId("detail").hidden = true;
  list.refresh();
  byId("list").focus();
  changedAddress();
}

/** Shows only what has this value, and opens the view. */
export function follow(name, value) {
  Object.assign(filter, Object.fromEntries(FIELDS.map((it) => [it, ""])), {
    search: "",
    failures: false,
    [name]: exactly(value),
  });
  byId("tab-live").click();
  applyFilter();
  say(`Only events of the ${name} ${value} are shown`);
}

function applyFilter() {
  full = true;
  for (const [name, input] of inputs) {
    input.value = filter[name];
  }
  byId("search").value = filter.search;
  byId("failures").setAttribute("aria-pressed", filter.failures);
  const chips = FIELDS.filter((name) => filter[name] !== "").map((name) => {
    const clear = () => {
      filter[name] = "";
      applyFilter();
      byId("search").focus();
    };
    return button([`${name}: ${filter[name]}`, icon("close")], clear, {
      class: "chip",
      "aria-label": `Remove the filter ${name}: ${filter[name]}`,
    });
  });
  byId("chips").replaceChildren(...chips);
  changedAddress();
  schedule();
}

function onlyNew(row, isNew) {
  if (isNew) {
    arrived += row.events[0].seq <= known ? 0 : 1;
    held += paused ? 1 : 0;
  }
  if (paused || full || !passes(row)) {
    return;
  }
  const newest = shown.at(-1);
  if (!newest || row.id > newest.id) {
    shown.push(row);
  } else if (!isNew && !row.listed) {
    full = true; // an older row passes the filter now
  }
  row.listed = true;
}

/** Takes events, given as JSON. Work of more than a few milliseconds is continued in the next frame. */
export async function take(lines) {
  let begun = performance.now();
  for (const [index, line] of lines.entries()) {
    store.add(line, (row) => onlyNew(row, row.version === 1));
    if (index % 64 === 63 && performance.now() - begun > 8) {
      schedule();
      await nextFrame();
      begun = performance.now();
    }
  }
  schedule();
}

/** A frame does not come while the tab is hidden. */
function nextFrame() {
  return new Promise((resolve) =>
    document.hidden ? setTimeout(resolve, 0) : requestAnimationFrame(() => setTimeout(resolve, 0)),
  );
}

export const begin = (last) => (known = last);

/** Draws all rows again. */
export function redraw() {
  full = true;
  schedule();
}

function schedule() {
  if (scheduled) {
    return;
  }
  scheduled = true;
  setTimeout(() => requestAnimationFrame(render), full ? 0 : rate > READABLE ? BUSY : CALM);
}

function render() {
  scheduled = false;
  if (!paused || full) {
    const rows = store.all();
    if (full) {
      full = false;
      for (const row of rows) {
        row.listed = passes(row);
      }
      shown = rows.filter((row) => row.listed);
      held = 0;
    } else if (shown[0]?.gone) {
      shown = shown.slice(
        Math.max(
          0,
          shown.findIndex((row) => !row.gone),
        ),
      );
      shown = shown[0]?.gone ? [] : shown;
    }
    list.set(shown);
  }
  const row = wanted === undefined ? undefined : store.findSeq(wanted);
  if (row) {
    wanted = undefined;
    list.choose(row);
    show(row);
  } else if (opened.row) {
    showDetail(opened.row, { follow, close: closeDetail });
  }
  words();
}

function words() {
  const { rows, dropped, failures } = store.counts();
  byId("list").hidden = shown.length === 0;
  byId("empty").hidden = shown.length > 0;
  const notice = [];
  if (paused) {
    notice.push(`Paused: ${plural(held, "new line")}.`);
  } else if (rate > READABLE) {
    notice.push(`${count(rate)} new lines a second: pause, or filter.`);
  }
  if (dropped > 0) {
    notice.push(`The page keeps the newest ${count(store.MAX_ROWS)} lines; ${count(dropped)} older ones are gone.`);
  }
  byId("notice").hidden = notice.length === 0;
  setText(byId("notice"), notice.join(" "));
  setText(byId("failures"), failures > 0 ? `Failures ${count(failures)}` : "Failures");
  byId("failures").classList.toggle("some", failures > 0);
  if (shown.length === 0) {
    const texts = isActive()
      ? ["Nothing matches the filter.", rows > 0 ? `The filter hides ${plural(rows, "line")}.` : ""]
      : ["Nothing has happened yet.", "Call a method from a page of the app, or open the test client."];
    byId("empty").replaceChildren(make("p", {}, texts[0]), make("p", { class: "soft" }, texts[1]));
  }
}

function setPaused(value) {
  paused = value;
  full = !value;
  held = 0;
  const pause = byId("pause");
  pause.setAttribute("aria-pressed", paused);
  pause.replaceChildren(icon(paused ? "play" : "pause"), make("span", {}, "Pause"));
  schedule();
}

async function clear() {
  try {
    await api.act({ action: "clear" });
  } catch (error) {
    say(`The service keeps its events: ${error.message}`);
  }
  closeDetail();
  store.clear();
  redraw();
}

/** The shown rows as a recording, JSON lines. */
function save(service) {
  const seen = new Map();
  for (const row of shown) {
    for (const event of row.before ? [] : row.events) {
      seen.set(event.seq, event);
    }
  }
  const head = { version: 1, kind: "recording", started: service?.started, hub_local: service?.version };
  const events = [...seen.values()].filter((event) => event.seq !== undefined).sort((a, b) => a.seq - b.seq);
  const lines = [head, ...events].map((event) => `${JSON.stringify(event)}\n`);
  const link = make("a", {
    href: URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" })),
    download: "inspector.jsonl",
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say(`${plural(events.length, "event")} saved as JSON lines`);
}

/** The parameters of the fragment for this view. */
export function parameters() {
  const found = toParameters();
  const seq = opened.row?.events[0].seq;
  if (seq !== undefined) {
    found.set("event", seq);
  }
  return found;
}

export function start(initial, changed, service) {
  changedAddress = changed;
  fromParameters(initial);
  wanted = initial.has("event") ? Number(initial.get("event")) : undefined;
  const set = (name, input) => {
    filter[name] = input.value.trim();
    clearTimeout(set.timer);
    set.timer = setTimeout(applyFilter, 120);
  };
  for (const name of FIELDS) {
    const input = make("input", {
      placeholder: HINTS[name],
      autocomplete: "off",
      spellcheck: "false",
      input: () => set(name, input),
    });
    inputs.set(name, input);
    byId("filters").append(field(name[0].toUpperCase() + name.slice(1), input));
  }
  byId("filters").append(
    make(
      "p",
      { class: "soft note" },
      'A part of the value is enough. In quotation marks, "ada", the whole value must match.',
    ),
  );
  byId("search").addEventListener("input", () => set("search", byId("search")));
  byId("failures").addEventListener("click", () => {
    filter.failures = !filter.failures;
    applyFilter();
  });
  const more = byId("more-filters");
  more.append(icon("filter"), make("span", {}, "Filter"));
  more.addEventListener("click", () => {
    byId("filters").hidden = !byId("filters").hidden;
    more.setAttribute("aria-expanded", !byId("filters").hidden);
  });
  byId("pause").addEventListener("click", () => setPaused(!paused));
  byId("clear").append(icon("clear"), make("span", {}, "Clear"));
  byId("clear").addEventListener("click", clear);
  byId("export").append(icon("save"), make("span", {}, "Export"));
  byId("export").addEventListener("click", () => save(service()));
  setInterval(() => {
    rate = arrived;
    arrived = 0;
    words();
  }, 1000);
  setPaused(false);
  applyFilter();
}
