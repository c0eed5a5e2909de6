// Payloads as text: arguments, bodies and results.

import { button, copy, icon, make } from "./dom.js";
import { bytes, plural } from "./words.js";

/** Longer texts are shown cut, with a button for the rest. */
const SHOWN = 20_000;
const COLOURED = 5000;

const isCut = (value) =>
  value !== null && typeof value === "object" && value.cut === true && typeof value.bytes === "number";
const isHidden = (value) =>
  value !== null &&
  typeof value === "object" &&
  typeof value.bytes === "number" &&
  typeof value.type === "string" &&
  Object.keys(value).length === 2;

/** Whether the service kept the whole value. */
export const isWhole = (value) => !isCut(value) && !isHidden(value);

export function preview(value, length = 120) {
  if (value === undefined) {
    return "";
  }
  if (isCut(value)) {
    return `${value.start.slice(0, length)}… (${bytes(value.bytes)})`;
  }
  if (isHidden(value)) {
    return `${value.type}, ${bytes(value.bytes)}`;
  }
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, length)) : JSON.stringify(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

/** Arguments as in source text: `"lobby", "hi"`. */
export function argumentsPreview(list, length) {
  return Array.isArray(list)
    ? preview(list, length + 2)
        .replace(/^\[|\]$/g, "")
        .replaceAll('","', '", "')
    : preview(list, length);
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON with the names, texts and numbers in elements of their own. */
function coloured(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(end, match.index));
    const [whole, string, colon] = match;
    const kind = colon ? "name" : string ? "text" : "atom";
    parts.push(make("span", { class: `json-${kind}` }, string ?? whole), colon ?? "");
    end = match.index + whole.length;
  }
  return [...parts, text.slice(end)];
}

/** A block with a payload, its size in words where it was cut, and a button that copies it. */
export function payload(label, value) {
  if (value === undefined) {
    return null;
  }
  const notes = [];
  let text;
  if (isHidden(value)) {
    notes.push(`The service does not keep payloads: ${value.type}, ${bytes(value.bytes)}.`);
  } else if (isCut(value)) {
    text = value.start;
    notes.push(`Cut by the service: the first ${plural(text.length, "character")} of ${bytes(value.bytes)}.`);
  } else {
    text = typeof value === "string" && value.includes("\n") ? value : JSON.stringify(value, null, 2);
  }
  const head = make("div", { class: "payload-head" }, make("h4", {}, label));
  const block = make("div", { class: "payload" }, head);
  if (text !== undefined) {
    head.append(button(icon("copy"), () => copy(text, label), { class: "quiet", "aria-label": `Copy ${label}` }));
    const code = make("pre", { tabindex: "0", role: "region", "aria-label": label });
    code.append(...(text.length <= COLOURED ? coloured(text) : [text.slice(0, SHOWN)]));
    block.append(code);
    if (text.length > SHOWN) {
      const rest = button(`Show all ${plural(text.length, "character")}`, () => {
        code.textContent = text;
        rest.remove();
        code.focus();
      });
      block.append(rest);
    }
  }
  block.append(...notes.map((note) => make("p", { class: "soft note" }, note)));
  return block;
}
