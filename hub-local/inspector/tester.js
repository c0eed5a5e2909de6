// The test client: a real connection with the official client, whose token the service signs.

import * as api from "./api.js";
import { form } from "./act.js";
import { button, byId, field, icon, make, openDialog, options, setText } from "./dom.js";
import { argumentForm } from "./form.js";
import { argumentsPreview, preview } from "./payload.js";
import { clock, count, milliseconds } from "./words.js";
import { clientMethodOf, contractOf, hubNames, methodOf, world } from "./world.js";

/** Lines of the log that are kept. */
const KEPT = 200;

const inputs = {
  hub: make("input", { list: "tester-hubs", autocomplete: "off", spellcheck: "false" }),
  user: make("input", { autocomplete: "off", placeholder: "anonymous" }),
  protocol: options(make("select"), [
    ["json", "JSON"],
    ["messagepack", "MessagePack"],
  ]),
  transport: options(make("select"), [
    ["WebSockets", "WebSockets"],
    ["ServerSentEvents", "Server-Sent Events"],
    ["LongPolling", "Long polling"],
  ]),
  method: make("input", { list: "tester-methods", autocomplete: "off", spellcheck: "false" }),
};

let connection;
let args;
const log = [];
let [waiting, heard] = [false, 0];

function note(kind, title, text = "") {
  log.unshift({ kind, title, text, at: Date.now() });
  log.length = Math.min(log.length, KEPT);
  if (!waiting) {
    waiting = true;
    setTimeout(() => requestAnimationFrame(drawLog), 60);
  }
}

const ICONS = { call: "call", result: "back", error: "stop", heard: "send", state: "plug" };

function drawLog() {
  waiting = false;
  const lines = log.map(({ kind, title, text, at }) =>
    make(
      "li",
      { class: `line ${kind}` },
      icon(ICONS[kind]),
      make("span", { class: "at" }, clock(at)),
      make("b", {}, title),
      make("code", {}, text),
    ),
  );
  byId("tester-log").replaceChildren(...lines);
  setText(byId("tester-heard"), heard > 0 ? `${count(heard)} heard` : "");
}

/**
 * A protocol that also reports each invocation before the client handles it. The client only reports methods that
 * have a handler, so each method gets one when it is first heard.
 */
function listening(protocol, hub) {
  const asked = new Map(); // by method: whether the service waits for a result, in order
  const hear = (message) => {
    heard += 1;
    note("heard", message.target, argumentsPreview(message.arguments, 2000));
    const name = message.target.toLowerCase();
    if (!asked.has(name)) {
      asked.set(name, []);
      hub().on(message.target, (...values) => (asked.get(name).shift() ? ask(message.target, values) : undefined));
    }
    asked.get(name).push(message.invocationId !== undefined && message.invocationId !== null);
  };
  return {
    name: protocol.name,
    version: protocol.version,
    transferFormat: protocol.transferFormat,
    writeMessage: (message) => protocol.writeMessage(message),
    parseMessages(input, logger) {
      const messages = protocol.parseMessages(input, logger);
      messages.filter((message) => message.type === signalR.MessageType.Invocation).forEach(hear);
      return messages;
    },
  };
}

/** The app asks this client for a result (`:invoke`). */
function ask(method, values) {
  return new Promise((resolve, reject) => {
    const schema = clientMethodOf(inputs.hub.value, method)?.result;
    const answer = argumentForm(
      { arguments: [{ name: "Result", schema: schema ?? true, optional: true }] },
      world.schemas,
    );
    const answered = form(
      "Answer",
      () => {
        const [value = null] = answer.read();
        resolve(value);
        note("result", `answer to ${method}`, preview(value, 2000));
        box.close();
      },
      answer.element,
    );
    const box = openDialog(
      `The app asks: ${method}`,
      make("p", {}, make("code", {}, `(${argumentsPreview(values, 500)})`)),
      answered,
    );
    box.addEventListener("close", () => reject(new Error("the test client gave no answer")));
  });
}

async function connect() {
  const [hub, protocolName] = [inputs.hub.value.trim(), inputs.protocol.value];
  const claims = [...byId("claims").querySelectorAll(".claim")].map((it) =>
    [...it.querySelectorAll("input")].map((input) => input.value),
  );
  const body = {
    hub,
    user: inputs.user.value,
    claims: claims.filter(([type]) => type !== "").map(([type, value]) => ({ type, value })),
  };
  await connection?.stop();
  const { url, accessToken } = await api.clientAccess(body);
  // Each file defines the global `signalR`, or adds to it.
  await import("./signalr.min.js");
  if (protocolName === "messagepack") {
    await import("./signalr-protocol-msgpack.min.js");
  }
  const protocol =
    protocolName === "messagepack"
      ? new signalR.protocols.msgpack.MessagePackHubProtocol()
      : new signalR.JsonHubProtocol();
  // The page may be open under another name of the service than the one in its URL.
  const { pathname, search } = new URL(url);
  const made = new signalR.HubConnectionBuilder()
    .withUrl(location.origin + pathname + search, {
      accessTokenFactory: () => accessToken,
      transport: signalR.HttpTransportType[inputs.transport.value],
    })
    .withHubProtocol(listening(protocol, () => made))
    .configureLogging(signalR.LogLevel.None)
    .build();
  made.onclose((error) => {
    note("state", "disconnected", error?.message ?? "");
    if (connection === made) {
      connection = undefined;
      drawState();
    }
  });
  await made.start();
  connection = made;
  heard = 0;
  note("state", "connected", `${inputs.transport.value}, ${protocolName}`);
  drawState();
}

function drawState() {
  const online = connection !== undefined;
  byId("tester-state").dataset.state = online ? "online" : "offline";
  setText(byId("tester-state"), online ? `Connected to ${inputs.hub.value}` : "Not connected");
  byId("tester-stop").hidden = !online;
  byId("tester-call").hidden = !online;
  setText(byId("tester-start").querySelector("button.primary"), online ? "Connect again" : "Connect");
}

async function call(kind) {
  if (!connection) {
    throw new Error("Connect first: the client is not connected.");
  }
  const [name, values] = [inputs.method.value.trim(), args.read()];
  if (name === "") {
    throw new Error("Name a method.");
  }
  note("call", `${kind} ${name}`, argumentsPreview(values, 2000));
  const begun = performance.now();
  if (kind === "send") {
    await connection.send(name, ...values);
    return;
  }
  try {
    const result = await connection.invoke(name, ...values);
    note(
      "result",
      name,
      `${result === undefined || result === null ? "no result" : preview(result, 2000)} · ${milliseconds(performance.now() - begun)}`,
    );
  } catch (error) {
    note("error", name, error.message);
  }
}

/** While the same method is named, what was typed stays. */
function drawArguments() {
  const found = methodOf(inputs.hub.value, inputs.method.value.trim());
  if (args === undefined || found !== args.call) {
    args = { ...argumentForm(found, world.schemas), call: found };
    byId("tester-arguments").replaceChildren(args.element);
    setText(byId("tester-docs"), found?.docs ?? "");
  }
}

/** Opens the test client with a method. */
export function callMethod(hub, method) {
  if (!connection || inputs.hub.value.toLowerCase() !== hub.toLowerCase()) {
    inputs.hub.value = hub;
  }
  inputs.method.value = method;
  drawArguments();
  byId("tab-tester").click();
  (connection ? byId("tester-call") : byId("tester-start")).querySelector("input, textarea, select, button").focus();
}

/** Names of hubs and methods for the fields. */
export function draw() {
  const names = (id, list) => options(byId(id), list);
  names("tester-hubs", hubNames());
  names(
    "tester-methods",
    (contractOf(inputs.hub.value)?.methods ?? []).map((it) => it.name),
  );
  if (inputs.hub.value === "" && document.activeElement !== inputs.hub) {
    inputs.hub.value = hubNames()[0] ?? "";
  }
}

function addClaim() {
  const type = make("input", { "aria-label": "Type of the claim", placeholder: "role" });
  const value = make("input", { "aria-label": "Value of the claim", placeholder: "moderator" });
  const line = make("div", { class: "claim" }, type, value);
  line.append(
    button(
      icon("close"),
      () => {
        line.remove();
        byId("add-claim").focus();
      },
      { class: "quiet", "aria-label": "Remove the claim" },
    ),
  );
  byId("claims").append(line);
  type.focus();
}

export function start() {
  const begin = form(
    "Connect",
    connect,
    field("Hub", inputs.hub),
    field("User", inputs.user),
    field("Protocol", inputs.protocol),
    field("Transport", inputs.transport),
    make(
      "div",
      { class: "wide" },
      make("div", { id: "claims" }),
      button("Add a claim", addClaim, { id: "add-claim", class: "small" }),
    ),
  );
  begin.id = "tester-start";
  const stop = button("Disconnect", () => connection?.stop(), { id: "tester-stop", hidden: true });
  begin.querySelector(".actions").append(stop, make("span", { id: "tester-state", role: "status" }));
  const caller = form(
    "Invoke",
    () => call("invoke"),
    field("Method", inputs.method),
    make("p", { id: "tester-docs", class: "docs wide" }),
    make("div", { id: "tester-arguments", class: "wide" }),
  );
  caller.id = "tester-call";
  const sending = button("Send without a result", () =>
    call("send").catch((error) => note("error", "send", error.message)),
  );
  caller.querySelector(".actions").append(sending);
  byId("tester").append(
    make("datalist", { id: "tester-hubs" }),
    make("datalist", { id: "tester-methods" }),
    make("section", { class: "card" }, make("h2", {}, "Connection"), begin),
    make(
      "section",
      { class: "card" },
      make("h2", {}, "Call a method"),
      caller,
      make("p", { id: "tester-wait", class: "soft note" }, "Connect first, then call any method of the hub."),
    ),
    make(
      "section",
      { class: "card" },
      make(
        "div",
        { class: "method-head" },
        make("h2", {}, "What it sees"),
        make("span", { id: "tester-heard", class: "soft" }),
      ),
      make(
        "div",
        { class: "log", role: "log", "aria-label": "Log of the test client, newest first", tabindex: "0" },
        make("ol", { id: "tester-log" }),
      ),
    ),
  );
  inputs.method.addEventListener("input", drawArguments);
  inputs.hub.addEventListener("input", () => {
    draw();
    drawArguments();
  });
  drawArguments();
  drawState();
}
