// A hub without a framework: `node room.js`. Settings: PORT, AzureSignalRConnectionString.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const HUB = "room";
const MODERATORS = new Set(["ada"]);
const setting = Object.fromEntries(
  process.env.AzureSignalRConnectionString.split(";").filter(Boolean).map((part) => {
    const [, name, value] = part.match(/^\s*([^=]+)=(.*)$/); // the key itself may contain `=`
    return [name.toLowerCase(), value.trim()];
  }),
);
const service = setting.endpoint.replace(/\/$/, "") + (setting.port ? `:${setting.port}` : "");

const hmac = (text) => createHmac("sha256", setting.accesskey).update(text).digest();

/** A JSON Web Token for the service, signed with the access key. */
function token(audience, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, aud: audience, exp })}`;
  return `${unsigned}.${hmac(unsigned).toString("base64url")}`;
}

/** An error whose text the client may see. */
class Refusal extends Error {}

/** A name in a path. HTTP libraries remove the segments `.` and `..`, even if they are encoded. */
function segment(name) {
  if (["", ".", ".."].includes(name)) throw new Refusal("this name cannot be used");
  return encodeURIComponent(name);
}

async function rest(method, path, body) {
  const url = `${service}/api/hubs/${HUB}/${path}`;
  const response = await fetch(`${url}?api-version=2022-06-01`, {
    method,
    headers: { Authorization: `Bearer ${token(url)}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`the service answers ${response.status}: ${await response.text()}`);
}

const send = (to, target, ...args) => rest("POST", `${to}/:send`, { target, arguments: args });

/** The methods that clients call. */
const methods = {
  echo: (_, value) => value,
  say: ({ user }, text) => send("groups/lobby", "said", user, text),
  whisper: ({ user }, to, text) => send(`users/${segment(String(to))}`, "said", user, text),
  announce: ({ user }, text) => {
    // A role comes from the app's own data, never from X-ASRS-User-Claims.
    if (!MODERATORS.has(user)) throw new Refusal("only moderators may announce");
    return send("groups/lobby", "announced", text);
  },
};

/** Whether the call comes from the service: one entry per access key of the service must match. */
function isGenuine(headers) {
  const expected = hmac(headers["x-asrs-connection-id"] ?? "");
  const signatures = (headers["x-asrs-signature"] ?? "").split(",").map((text) => text.trim());
  return signatures.some((text) => {
    const bytes = Buffer.from(text.replace(/^sha256=/i, ""), "hex");
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}

const utf8 = (header) => header && Buffer.from(header, "latin1").toString(); // Node reads headers as Latin-1

async function upstream(request) {
  const { headers } = request;
  if (!isGenuine(headers)) return { status: 401 };
  if (headers["x-asrs-hub"] !== HUB) return { status: 404 };
  if (headers["content-type"] !== "application/json") return { status: 415 }; // a MessagePack client
  let body = "";
  for await (const piece of request.setEncoding("utf8")) body += piece;
  const caller = { connection: headers["x-asrs-connection-id"], user: utf8(headers["x-asrs-user-id"]) };
  if (headers["x-asrs-category"] === "connections") {
    if (headers["x-asrs-event"] === "connected") {
      await rest("PUT", `groups/lobby/connections/${segment(caller.connection)}`);
    }
    return { status: 200 };
  }
  const { target, arguments: args, invocationId } = JSON.parse(body);
  const completion = { type: 3, invocationId };
  try {
    if (!Object.hasOwn(methods, target)) throw new Refusal(`there is no method ${target}`);
    completion.result = (await methods[target](caller, ...args)) ?? null;
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    completion.error = error instanceof Refusal ? error.message : "the method failed"; // never empty
  }
  // `send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
  return invocationId ? { status: 200, body: `${JSON.stringify(completion)}\x1e` } : { status: 200 };
}

function negotiate(url) {
  const user = url.searchParams.get("user"); // a real app checks a session or a token here
  if (!user) return { status: 401 };
  const client = `${service}/client/?hub=${HUB}`;
  return { status: 200, body: JSON.stringify({ url: client, accessToken: token(client, { nameid: user }) }) };
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://app");
  const answer = await Promise.resolve(`${request.method} ${url.pathname}`).then((route) => {
    if (route === `POST /${HUB}/negotiate`) return negotiate(url);
    return route === "POST /runtime/webhooks/signalr" ? upstream(request) : { status: 404 };
  }).catch((error) => (console.error(error), { status: 500 }));
  response.writeHead(answer.status, answer.body && { "Content-Type": "application/json" }).end(answer.body);
});
server.listen(process.env.PORT ?? 7071, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
