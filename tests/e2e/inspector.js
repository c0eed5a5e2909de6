// A service with the inspector in front of an app whose answers the tests choose, and what the tests do in the page.

import { once } from "node:events";
import { createServer } from "node:http";
import { Program, connect, freePort } from "./lib.js";

export const TOKEN = "token-of-the-inspector-tests";

/** An app without a framework. `answers` has a function for each event; others get their first argument back. */
export class App {
  answers = {};
  #server = createServer((request, answer) => this.#respond(request, answer));

  async start(port = 0) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
    this.url = `http://127.0.0.1:${this.port}/api/signalr`;
    return this;
  }

  async #respond(request, answer) {
    const chunks = await request.toArray();
    const text = Buffer.concat(chunks).toString();
    const event = request.headers["x-asrs-event"];
    const call = request.headers["content-type"] === "application/json" ? JSON.parse(text) : {};
    const choose = this.answers[event] ?? (event === "connected" || event === "disconnected" ? ok : echo);
    choose(answer, call, request);
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const ok = (answer) => answer.end();
const echo = (answer, call) => complete(answer, call, call.arguments?.[0]);
export const complete = (answer, { invocationId }, result) =>
  answer.end(`${JSON.stringify({ type: 3, invocationId, result })}\x1e`);
export const status = (code, text = "") => (answer) => answer.writeHead(code).end(text);

/** `hub-local start` with an inspector. `page` is the address of the page. */
export async function startService({ app, args = [], port, token = TOKEN } = {}) {
  port ??= String(await freePort());
  const upstream = app ? ["--upstream", app.url ?? app] : [];
  const tokens = token ? ["--inspector-token", token] : [];
  const service = new Program("hub-local", ["start", "--port", port, ...upstream, ...tokens, ...args]);
  const [, address] = await service.printed(/Inspect\s+(\S+)/);
  await service.printed(/Ctrl\+C stops/);
  service.port = port;
  service.origin = `http://127.0.0.1:${port}`;
  // A token of the settings is not printed.
  service.token = token || address.split("#")[1];
  service.page = `${service.origin}/inspector#${service.token}`;
  return service;
}

/** A request of a script to the inspector. */
export async function ask(service, path, body, headers = {}) {
  const answer = await fetch(`${service.origin}/inspector/${path}`, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${service.token}`, ...(body && { "Content-Type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}

export async function events(service, query = "") {
  const { text } = await ask(service, `events?follow=0${query}`);
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** The official client in Node, with a token of the inspector. */
export async function client(service, { hub = "chat", user, claims = [], ...more } = {}) {
  const { text } = await ask(service, "client", { hub, user, claims });
  const { url, accessToken } = JSON.parse(text);
  return connect(url, { token: accessToken, ...more });
}

export const connected = (tab) => tab.locator('#status[data-state="online"]').waitFor();

/** Opens the page. `more` is what follows the token in the address. */
export async function openPage(browser, service, { more = "", ...options } = {}) {
  const tab = await browser.openTab(service.page + more, options);
  await connected(tab);
  return tab;
}

export const row = (tab, text) => tab.locator("#list .row:not([hidden])", { hasText: text }).first();

/** Searches, opens the newest line that is found, and returns its details. */
export async function openRow(tab, text, search = text) {
  await tab.locator("#search").fill(search);
  await tab.waitForTimeout(300); // until the filter is applied: the list uses its elements again
  await row(tab, text).click();
  await tab.locator("#detail h2").waitFor();
  return tab.locator("#detail");
}

export const step = (tab, kind) => tab.locator(`#detail .step[data-kind="${kind}"]`);
export const view = (tab, name) => tab.locator(`#tab-${name}`).click();
export const toast = (tab, text) => tab.locator("#toast").getByText(text).waitFor();
export const hash = (tab) => new URL(tab.url()).hash;
