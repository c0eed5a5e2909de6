// The HTTP server: the page, the negotiate route of the hub, and the route that the service calls.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import * as hub from "./hub.js";
import { Refusal, Service } from "./signalr.js";

const UPSTREAM = "/runtime/webhooks/signalr";

const page = (file) =>
  fileURLToPath(new URL(`../page/${file}`, import.meta.url));
const files = {
  "/": [page("index.html"), "text/html; charset=utf-8"],
  "/app.css": [page("app.css"), "text/css; charset=utf-8"],
  "/app.js": [page("app.js"), "text/javascript; charset=utf-8"],
  "/signalr.min.js": [
    fileURLToPath(
      import.meta.resolve("@microsoft/signalr/dist/browser/signalr.min.js"),
    ),
    "text/javascript; charset=utf-8",
  ],
};

/** Where this machine reaches a server that listens on all addresses. */
const LOOPBACK = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** The URL of a host, whose name can be an IPv6 address. */
const url = (host, port) =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

/**
 * Starts the app. Without a connection string it also starts a local service at `servicePort`, which stops with the
 * app. The port 0 is a free one.
 *
 * @returns `url` of the app, `inspector` (URL of the local service's inspector) and `stop()`
 */
export async function start({
  host = "127.0.0.1",
  port = 0,
  connectionString,
  servicePort = 0,
} = {}) {
  const server = createServer().listen(port, host);
  await once(server, "listening");
  const { address, port: actualPort } = server.address();
  let local;
  try {
    local = connectionString
      ? undefined
      : await startLocalService(
          url(LOOPBACK[address] ?? address, actualPort) + UPSTREAM,
          servicePort,
        );
    const service = new Service(
      connectionString || local.connectionString,
      hub.name,
    );
    server.on("request", (request, response) =>
      answer(service, request, response),
    );
  } catch (error) {
    await local?.stop();
    server.close();
    throw error;
  }
  return {
    url: url(host, actualPort),
    inspector: local?.inspector,
    async stop() {
      await local?.stop(); // first, because it reports the disconnected clients
      server.close();
      server.closeAllConnections();
    },
  };
}

async function startLocalService(upstream, port) {
  let startHubLocal;
  try {
    ({ startHubLocal } = await import("hub-local"));
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(
      "set AzureSignalRConnectionString; without it, the app needs the development package hub-local, which `npm install` installs",
    );
  }
  return startHubLocal({ upstream, port });
}

/** Answers a request. It never rejects: that would end the process. */
async function answer(service, request, response) {
  const send = ({ status, headers, body }) =>
    response.writeHead(status, headers).end(body);
  try {
    send(await handle(service, request));
  } catch (error) {
    if (error instanceof Refusal)
      return send({ status: 400, body: error.message });
    console.error(error);
    if (response.headersSent) response.destroy();
    else send({ status: 500 });
  }
}

async function handle(service, request) {
  // No `URL`, which throws for some paths that a client can send, for example `//`.
  const [path, query = ""] = request.url.split(/\?(.*)/s);
  const route = `${request.method} ${path}`;
  if (route === `POST /${hub.name}/negotiate`)
    return json(service.ticket(hub.negotiate(new URLSearchParams(query))));
  if (route === `POST ${UPSTREAM}`) return upstream(service, request);
  if (request.method !== "GET" || !Object.hasOwn(files, path))
    return { status: 404 };
  const [file, type] = files[path];
  const connect = `'self' ${service.url} ${service.url.replace("http", "ws")}`;
  return {
    status: 200,
    body: await readFile(file),
    headers: {
      "Content-Type": type,
      "Content-Security-Policy": `default-src 'self'; img-src data:; connect-src ${connect}`,
      "Cache-Control": "no-cache",
    },
  };
}

/** A call of the service: a client has connected, has disconnected, or calls a method. */
async function upstream(service, request) {
  const { headers } = request;
  if (!service.isGenuine(headers)) return { status: 401 };
  if (headers["x-asrs-hub"] !== hub.name) return { status: 404 };
  if (headers["content-type"] !== "application/json") return { status: 415 }; // a MessagePack client
  const user = headers["x-asrs-user-id"];
  const caller = {
    connection: headers["x-asrs-connection-id"],
    user: user && Buffer.from(user, "latin1").toString(), // Node reads headers as Latin-1
  };
  let body = "";
  for await (const piece of request.setEncoding("utf8")) body += piece;
  if (headers["x-asrs-category"] === "connections") {
    const isConnected = headers["x-asrs-event"] === "connected";
    await (isConnected
      ? hub.connected(caller, service)
      : hub.disconnected(caller, service));
    return { status: 200 };
  }
  const { target, arguments: args, invocationId } = JSON.parse(body);
  const completion = { type: 3, invocationId };
  try {
    if (!Object.hasOwn(hub.methods, target))
      throw new Refusal(`There is no method ${target}.`);
    completion.result =
      (await hub.methods[target](caller, service, ...args)) ?? null;
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    completion.error =
      error instanceof Refusal ? error.message : "The method failed."; // never empty
  }
  // `connection.send` has no invocation id and gets no completion. A completion ends with the byte 0x1E.
  return invocationId ? json(completion, "\x1e") : { status: 200 };
}

const json = (value, end = "") => ({
  status: 200,
  body: JSON.stringify(value) + end,
  headers: { "Content-Type": "application/json" },
});
