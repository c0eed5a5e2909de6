// One row of the list in words.

import { argumentsPreview, preview } from "./payload.js";
import { event, failure } from "./store.js";
import { milliseconds, plural, short, span, targetWords } from "./words.js";

const ICONS = {
  invocation: "call",
  upstream: "app",
  answer: "app",
  connected: "plug",
  disconnected: "out",
  negotiate: "plug",
  refused: "stop",
  send: "send",
  group: "group",
  completion: "back",
};

const TITLES = {
  upstream: "call of the app",
  answer: "answer of the app",
  left_out: "left out",
  client_result: "answer of a client",
  restarted: "The service was restarted",
};

/** `title` is the name, `text` what belongs to it, `end` how it ended. */
export function summary(row) {
  const first = row.events[0];
  const parts = {
    icon: ICONS[row.kind] ?? "dots",
    title: row.method ?? TITLES[row.kind] ?? row.kind,
    text: "",
    end: "",
  };
  if (row.kind === "invocation") {
    parts.text = `(${argumentsPreview(event(row, "invocation").arguments, 160)})`;
    parts.end = callEnd(row);
  } else if (row.kind === "send") {
    parts.title = first.method ?? "send";
    parts.text = `→ ${targetWords(first.target)} (${argumentsPreview(first.arguments, 120)})`;
    parts.end = plural(row.recipients, "client");
  } else if (row.kind === "connected") {
    const { transport, protocol } = event(row, "connected");
    parts.title = "connected";
    parts.text = [transport, protocol].filter(Boolean).join(" · ");
    parts.end = callEnd(row);
  } else if (row.kind === "disconnected") {
    const { text, ms } = event(row, "disconnected");
    parts.title = "disconnected";
    parts.text = text ?? "";
    parts.end = ms === undefined ? "" : `after ${ms < 1000 ? milliseconds(ms) : span(ms / 1000)}`;
  } else if (row.kind === "refused") {
    parts.title = `${first.what} refused`;
    parts.text = first.text ?? "";
    parts.end = first.status ? String(first.status) : "";
  } else if (row.kind === "negotiate") {
    parts.end = String(first.status ?? "");
  } else if (row.kind === "group") {
    const who =
      first.user !== undefined ? `user ${first.user}` : first.connection ? `connection ${short(first.connection)}` : "";
    parts.title = `${first.action} group`;
    parts.text = [first.group, who].filter(Boolean).join(" · ");
  } else if (row.kind === "left_out") {
    parts.title = `${plural(first.count ?? 0, "event")} left out`;
    parts.text = first.reason ?? "";
  } else if (row.kind === "upstream") {
    parts.text = "the app is told";
    parts.end = callEnd(row);
  }
  if (row.failed && row.kind !== "refused") {
    parts.text = failureText(row) || parts.text;
  }
  return parts;
}

function callEnd(row) {
  const answer = event(row, "answer");
  const status = answer?.status ? (row.failed && answer.status < 300 ? "error" : String(answer.status)) : "";
  const ms = milliseconds(row.ms);
  if (row.ended || answer) {
    return [row.failed ? status || "failed" : status, ms].filter(Boolean).join(" · ");
  }
  return event(row, "upstream") ? "waits for the app" : row.kind === "invocation" ? "queued" : "";
}

export function failureText(row) {
  const why = failure(row);
  return why?.text ?? (why?.error === undefined ? "" : preview(why.error, 200).replace(/^"|"$/g, ""));
}

export const lamp = (row) =>
  row.failed
    ? "bad"
    : row.kind === "invocation" && !row.ended && !row.answered
      ? "wait"
      : ["left_out", "restarted"].includes(row.kind)
        ? "none"
        : "good";

/** What a screen reader reads for the lamp. */
export const LAMPS = { bad: "failed", wait: "running", good: "", none: "" };
