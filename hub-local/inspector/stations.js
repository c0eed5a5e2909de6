// Clients, service and app with their lamps.

import { advice, byId, make, setText } from "./dom.js";
import { count, plural } from "./words.js";
import { world } from "./world.js";

const NAMES = {
  WebSockets: "WebSockets",
  ServerSentEvents: "Server-Sent Events",
  LongPolling: "long polling",
  json: "JSON",
  messagepack: "MessagePack",
};
const history = [];
/** An error is shown for this time, in milliseconds; if the app does not answer, always. */
const RECENT = 60_000;
/** The last errors of the apps, with what to check. */
const trouble = make("section", {
  id: "app-trouble",
  class: "trouble",
  "aria-label": "Last error of the app",
  hidden: true,
});

function station(name, title) {
  const lamp = make("span", { class: "lamp", "data-lamp": "none" });
  const number = make("p", { class: "number" });
  const note = make("p", { class: "soft note" });
  const extra = make("div", { class: "extra" });
  const element = make(
    "article",
    { class: "station", "data-station": name },
    make("h2", {}, lamp, title),
    number,
    note,
    extra,
  );
  return { element, lamp, number, note, extra };
}

const [clients, service, apps] = [station("clients", "Clients"), station("service", "Service"), station("app", "App")];

const amounts = (object) =>
  Object.entries(object ?? {})
    .filter(([, number]) => number > 0)
    .map(([name, number]) => `${count(number)} ${NAMES[name] ?? name}`)
    .join(", ");

/** The calls per second of the last minute. */
function sparkline() {
  const most = Math.max(1, ...history);
  const points = history
    .map((value, at) => `${((at + 60 - history.length) * 2).toFixed(0)},${(19 - (value / most) * 18).toFixed(1)}`)
    .join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", points);
  svg.append(line);
  svg.setAttribute("viewBox", "0 0 118 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

function app(it) {
  const state = it.reachable === false ? "bad" : it.reachable === true ? "good" : "none";
  const words = { bad: "does not answer", good: "answers", none: "not called yet" }[state];
  return { state, words, name: it.url ?? (it.embedded ? "in this process" : ""), error: it.last_error };
}

function drawApps() {
  const all = (world.stations.apps ?? []).map(app);
  const bad = all.filter((it) => it.state === "bad");
  const state = bad.length > 0 ? "bad" : all.some((it) => it.state === "good") ? "good" : "none";
  apps.lamp.dataset.lamp = state;
  setText(apps.number, bad.length > 0 ? "does not answer" : state === "good" ? "answers" : "not called yet");
  const words = all.map((it) => (all.length > 1 ? `${it.name} ${it.words}` : it.name)).join(", ");
  setText(apps.note, words || (world.service.mode === "embedded" ? "in this process" : ""));
  const errors = all.filter((it) => it.error && (it.state === "bad" || Date.now() - Date.parse(it.error.at) < RECENT));
  trouble.hidden = errors.length === 0;
  const parts = errors.flatMap(({ error, name }) => [
    make("p", { class: "why" }, `${all.length > 1 ? `${name}: ` : ""}${error.text}`),
    advice(error.fix),
  ]);
  if (trouble.textContent !== parts.map((part) => part.textContent).join("")) {
    trouble.replaceChildren(...parts);
  }
}

export function draw(polled) {
  const { clients: c = {}, service: s = {} } = world.stations;
  clients.lamp.dataset.lamp = c.count > 0 ? "good" : "none";
  clients.number.replaceChildren(count(c.count), make("small", {}, ` ${amounts(c.by_protocol)}`));
  setText(clients.note, c.count > 0 ? amounts(c.by_transport) : "no client is connected");
  service.lamp.dataset.lamp = s.failing_share > 0 ? "bad" : "good";
  const calls = s.calls_per_second ?? 0;
  service.number.replaceChildren(
    calls < 10 && !Number.isInteger(calls) ? calls.toFixed(1) : count(Math.round(calls)),
    make("small", {}, " calls/s"),
  );
  const failing =
    s.failing_share > 0 ? ` · ${(s.failing_share * 100).toFixed(s.failing_share < 0.1 ? 1 : 0)} % fail` : "";
  setText(
    service.note,
    `${plural(Math.round(s.messages_per_second ?? 0), "message")}/s${failing}${world.service.payloads === false ? " · payloads are off" : ""}`,
  );
  if (polled) {
    history.push(calls);
    history.splice(0, history.length - 60);
  }
  if (polled && history.length > 1) {
    service.extra.replaceChildren(sparkline());
  }
  drawApps();
  setText(byId("address"), world.service.url ?? "");
}

export function start() {
  byId("stations").append(clients.element, service.element, apps.element);
  byId("stations").after(trouble);
}
