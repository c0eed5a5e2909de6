// Requests as `curl` commands.

import { isWhole } from "./payload.js";

/** A text in single quotation marks, for POSIX shells. */
const quoted = (text) => `'${String(text).replaceAll("'", `'\\''`)}'`;

const command = (lines) => lines.join(" \\\n  ");

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

/** The command for an upstream call, or the reason why there is none. */
export function ofUpstream(call, message) {
  if (call.embedded) {
    return { reason: "The app runs in the process of the service, so there is no HTTP request. Run again calls it." };
  }
  const body = bodyOf(call, message);
  if (!isWhole(body) || !isWhole(body?.arguments ?? null)) {
    return { reason: "The service did not keep the whole body of this call. Run again calls the app." };
  }
  const lines = [`curl -i -X POST ${quoted(call.url)}`];
  for (const [name, value] of headerLines(call.headers)) {
    // The body is shown as JSON, whatever the protocol of the client.
    const isType = name.toLowerCase() === "content-type";
    if (name.toLowerCase() !== "content-length") {
      lines.push(`-H ${quoted(`${name}: ${isType ? "application/json" : value}`)}`);
    }
  }
  lines.push(`--data-raw ${quoted(typeof body === "string" ? body : JSON.stringify(body))}`);
  return { text: command(lines) };
}

/** The command for a send. The token is made by the app: `$TOKEN`. */
export function ofSend(service, send) {
  const { kind = "all", name } = send.target ?? {};
  const path = kind === "all" ? "" : `/${kind}s/${encodeURIComponent(name)}`;
  return command([
    `curl -i -X POST ${quoted(`${service}/api/hubs/${encodeURIComponent(send.hub)}${path}/:send?api-version=2022-06-01`)}`,
    `-H "Authorization: Bearer $TOKEN"`,
    "-H 'Content-Type: application/json'",
    `--data-raw ${quoted(JSON.stringify({ target: send.method, arguments: send.arguments }))}`,
  ]);
}

/** Headers are an object, or a list of pairs or of `{name, value}`. */
export function headerLines(headers) {
  if (Array.isArray(headers)) {
    return headers.map((header) => (Array.isArray(header) ? header : [header.name, header.value]));
  }
  return Object.entries(headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((it) => [name, it]),
  );
}
