// Requests as `curl` commands.

import { isWhole } from "./payload.js";

/** A text in single quotation marks, for POSIX shells. */
const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

/** The body of an upstream call. That of a message has what the message of the client has. */
export function bodyOf(call, message) {
  if (call.body !== undefined) {
    return call.body;
  }
  if (call.category === "connections") {
    return call.event === "connected" ? { type: 10 } : { Type: 11 };
  }
  return { type: 1, invocationId: message?.invocation, target: call.event, arguments: message?.arguments };
}

/** Values that are hidden or have a type of MessagePack: they are not what was sent. */
const isChanged = (value) => /•••|"\$(int|binary|time|ext)":/.test(JSON.stringify(value));

/** The commands for an upstream call, or the reason why there are none. */
export function ofUpstream(call, message) {
  if (call.embedded) {
    return { reason: "The app runs in the process of the service, so there is no HTTP request. Run again calls it." };
  }
  const body = bodyOf(call, message);
  if (!isWhole(body) || !isWhole(body?.arguments ?? null) || isChanged([body, call.headers, call.url])) {
    return {
      reason: "A value is cut, hidden, or not JSON, so the request cannot be repeated. Run again calls the app.",
    };
  }
  // The body is shown as JSON, whatever the protocol of the client.
  const headers = headerLines(call.headers).filter(([name]) => !/^content-(type|length)$/i.test(name));
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { posix: posix(call.url, headers, text), powershell: powershell(call.url, headers, text) };
}

const posix = (url, headers, body) =>
  [
    `curl -i -X POST ${quoted(url)}`,
    ...[...headers, ["Content-Type", "application/json"]].map((pair) => `-H ${quoted(pair.join(": "))}`),
    `--data-raw ${quoted(body)}`,
  ].join(" \\\n  ");

/** A text in single quotation marks, for PowerShell, which also takes the typographic ones as such. */
const single = (text) => `'${String(text).replace(/['‘’‚‛]/g, "$&$&")}'`;

const powershell = (url, headers, body) =>
  `Invoke-WebRequest -UseBasicParsing -Method Post -Uri ${single(url)} -ContentType 'application/json; charset=utf-8' ` +
  `-Headers @{ ${headers.map((pair) => pair.map(single).join(" = ")).join("; ")} } -Body ${single(body)}`;

/** Headers are an object, or a list of pairs or of `{name, value}`. */
export function headerLines(headers) {
  if (Array.isArray(headers)) {
    return headers.map((header) => (Array.isArray(header) ? header : [header.name, header.value]));
  }
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((it) => [name, it]),
  );
}
