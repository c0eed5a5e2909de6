// The steps of a conversation: one for each event.

import { bodyOf, headerLines } from "./curl.js";
import { icon, make } from "./dom.js";
import { payload } from "./payload.js";
import { event } from "./store.js";
import { bytes, clock, milliseconds, plural, span, targetWords } from "./words.js";

const FORMS = { json: "JSON", messagepack: "MessagePack, shown as JSON" };

/** A table of names and values. */
function pairs(title, list) {
  if (list.length === 0) {
    return null;
  }
  const rows = list.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value))),
  );
  return make(
    "details",
    {},
    make("summary", {}, `${title} (${list.length})`),
    make("table", { class: "pairs" }, make("tbody", {}, rows)),
  );
}

const claims = (list) => (list ?? []).map(({ type, value }) => [type, value]);

/** A query string as a list of names and values. */
const query = (text) => [...new URLSearchParams(text ?? "")];

const parts = {
  negotiate: (it) => [`Client asks for a connection: ${it.status ?? ""}`, it.user && `user ${it.user}`],
  connected: (it) => [
    "Client is connected",
    [it.transport, it.protocol, it.resumable && "can resume"].filter(Boolean).join(" · "),
    pairs("Claims", claims(it.claims)),
    pairs("Query", Array.isArray(it.query) ? claims(it.query) : query(it.query)),
  ],
  refused: (it) => [
    `Service refuses: ${it.what ?? ""}`,
    it.status && `status ${it.status}`,
    make("p", { class: "why" }, it.text ?? ""),
  ],
  disconnected: (it) => [
    "Client is gone",
    it.ms !== undefined && `after ${it.ms < 1000 ? milliseconds(it.ms) : span(it.ms / 1000)}`,
    it.text && make("p", {}, it.text),
  ],
  invocation: (it) => [
    `Client calls ${it.method}`,
    [
      it.type === "send" ? "expects no result" : it.invocation !== undefined && `invocation ${it.invocation}`,
      FORMS[it.form] ?? it.form,
      it.queued && "queued behind others",
    ]
      .filter(Boolean)
      .join(" · "),
    payload("Arguments", it.arguments),
  ],
  upstream: (it, row) => [
    "Service calls the app",
    it.embedded ? "in this process" : make("code", {}, `POST ${it.url}`),
    pairs("Headers", headerLines(it.headers)),
    make("details", {}, make("summary", {}, "Body"), payload("Body", bodyOf(it, event(row, "invocation")))),
  ],
  answer: (it) => [
    it.status ? `App answers ${it.status}` : "App gives no answer",
    milliseconds(it.ms),
    it.text && make("p", { class: "why" }, it.text),
    payload("Answer", it.body),
  ],
  send: (it) => [
    `${it.via === "inspector" ? "This page" : "App"} sends ${it.method ?? ""} to ${targetWords(it.target)}`,
    [`${it.recipients ?? 0} reached`, it.bytes && bytes(it.bytes), it.calls && "sent while this call ran"]
      .filter(Boolean)
      .join(" · "),
    it.calls?.length > 1 &&
      make(
        "p",
        { class: "soft note" },
        `${plural(it.calls.length, "call")} of this hub ran at that time: perhaps another one sent it.`,
      ),
    payload("Arguments of the send", it.arguments),
  ],
  completion: (it) => [
    it.error === undefined ? "Client gets the result" : "Client gets an error",
    it.ms !== undefined && `${milliseconds(it.ms)} in all`,
    payload(it.error === undefined ? "Result" : "Error", it.error ?? it.result),
  ],
  client_result: (it) => [
    `Client answers ${it.method ?? ""}`,
    milliseconds(it.ms),
    payload(it.error === undefined ? "Result" : "Error", it.error ?? it.result),
  ],
  group: (it) => [
    `${it.action} group ${it.group ?? ""}`,
    [it.user !== undefined ? `user ${it.user}` : it.connection, it.ttl_seconds && `for ${span(it.ttl_seconds)}`]
      .filter(Boolean)
      .join(" · "),
  ],
  left_out: (it) => [plural(it.count ?? 0, "event"), "left out", make("p", {}, it.reason ?? "")],
  restarted: () => [
    "The service was restarted",
    "",
    make("p", {}, "Its connections and groups are new. Lines from before are kept on this page only."),
  ],
};

const ICONS = {
  invocation: "call",
  upstream: "app",
  answer: "back",
  send: "send",
  completion: "back",
  group: "group",
  refused: "stop",
  disconnected: "out",
};

/** The elements of an event's step. */
export function steps(it, row) {
  const [title, note, ...body] = parts[it.kind]?.(it, row) ?? [it.kind, "", payload("Event", it)];
  const failed =
    it.kind === "refused" ||
    it.error !== undefined ||
    (it.kind === "answer" && row.failed && (it.fix !== undefined || it.status >= 300));
  return [
    make(
      "li",
      { class: failed ? "step failed" : "step", "data-kind": it.kind },
      icon(ICONS[it.kind] ?? "plug"),
      make(
        "div",
        { class: "step-head" },
        make("h3", {}, title),
        make("span", { class: "soft" }, note || ""),
        make("time", { class: "soft" }, clock(it.at)),
      ),
      ...body,
    ),
  ];
}
