#!/usr/bin/env bash
# Vite's development server never answers a WebSocket that it does not proxy.
#
# Versions: vite 8.4.0, ws 8.18.3 (npm), Node.js 20.19 or newer.
# Expected: the answer that the same path gets as a plain request (200 of the backend here, 404 elsewhere), or a closed
#           socket. Node's own server answers in this way if it has no listener for `upgrade`.
# Seen:     no byte and no end of the connection. Vite listens for `upgrade` for its own client, and this listener returns
#           without an answer for all other WebSockets. Node leaves such a socket to the listener and sets no timeout.
#           So a proxied path answers plain requests, while `new WebSocket()` for the same path stays in the state
#           "connecting", without `open`, `error` or `close`. A library that tries a WebSocket first and another
#           transport after its failure never tries the other one. With `ws: true` for this path, the WebSocket opens.
# Exits with 1 if this changes. Needs npm and the network; writes to a temporary folder only.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' > package.json
npm install --silent --no-audit --no-fund vite@8.4.0 ws@8.18.3 >/dev/null
cat > seen.js <<'JS'
import { createServer } from "node:http";
import { version as vite, createServer as createVite } from "vite";
import WebSocket, { WebSocketServer } from "ws";

const SECONDS = 20;
const listen = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));

// A backend that serves plain requests and WebSockets at /live, and Node's own server without WebSockets.
const backend = createServer((_, answer) => answer.end("plain"));
new WebSocketServer({ server: backend, path: "/live" });
const backendPort = await listen(backend);
const node = await listen(createServer((_, answer) => answer.end("plain")));

async function dev(options) {
  const proxy = { "/live": { target: `http://127.0.0.1:${backendPort}`, ...options } };
  const server = await createVite({ configFile: false, logLevel: "silent", server: { host: "127.0.0.1", port: 0, proxy } });
  await server.listen();
  return server.httpServer.address().port;
}

function socket(port, path = "/live") {
  return new Promise((resolve) => {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const late = setTimeout(() => resolve(`no event in ${SECONDS} s, readyState ${client.readyState}`), SECONDS * 1000);
    const tell = (text) => (clearTimeout(late), resolve(text));
    client.on("open", () => tell("open")).on("unexpected-response", (_, answer) => tell(`HTTP ${answer.statusCode}`));
    client.on("error", (error) => tell(`error ${error.message}`)).on("close", () => tell("close"));
  });
}

const plain = async (port) => (await fetch(`http://127.0.0.1:${port}/live`)).text();
const [without, withWs] = [await dev({}), await dev({ ws: true })];
const seen = {
  vite,
  "backend itself, WebSocket": await socket(backendPort),
  "Node without WebSockets, WebSocket": await socket(node),
  "Vite with ws: true, WebSocket": await socket(withWs),
  "Vite, plain request": await plain(without),
  "Vite, WebSocket to the same path": await socket(without),
  "Vite, WebSocket to a path without proxy": await socket(without, "/nothing"),
};
console.log(seen);
const silent = `no event in ${SECONDS} s, readyState 0`;
const known = ["8.4.0", "open", "HTTP 200", "open", "plain", silent, silent];
process.exit(JSON.stringify(Object.values(seen)) === JSON.stringify(known) ? 0 : 1);
JS
node seen.js && echo "as described" || { echo "CHANGED: this is no longer as described"; exit 1; }
