// The hubs with their methods, as the contract describes them.

import { send } from "./act.js";
import { button, byId, make, prose } from "./dom.js";
import { typeWords } from "./form.js";
import { callMethod } from "./tester.js";
import { world } from "./world.js";

let drawn = "";

function method(call, act, label) {
  const parameters = call.arguments
    .map((it) => `${it.rest ? "..." : ""}${it.name}${it.optional ? "?" : ""}`)
    .join(", ");
  const types = call.arguments
    .filter((it) => it.schema !== undefined)
    .map((it) => make("li", {}, make("code", {}, it.name), ` ${typeWords(it.schema, world.schemas)}`));
  return make(
    "li",
    { class: "method" },
    make(
      "div",
      { class: "method-head" },
      make("code", {}, make("b", {}, call.name), `(${parameters})`),
      button(label, act, { class: "small", "aria-label": `${label}: ${call.name}` }),
    ),
    call.docs && make("p", { class: "docs" }, prose(call.docs)),
    types.length > 0 && make("ul", { class: "types" }, types),
    call.result !== undefined && make("p", { class: "soft note" }, `result: ${typeWords(call.result, world.schemas)}`),
  );
}

function hub({ name, contract }) {
  if (!contract) {
    const note =
      "The methods of this hub are not known. The embedded service knows them; the command reads them from a file: --contract FILE.";
    return make(
      "section",
      { class: "card" },
      make("h2", {}, name),
      make("p", { class: "soft" }, note),
      button("Send to its clients…", () => send({ hub: name })),
    );
  }
  const events = ["negotiate", "connected", "disconnected", "fallback"].filter((it) => contract[it]);
  const methods = (contract.methods ?? []).map((it) => method(it, () => callMethod(name, it.name), "Call"));
  const client = (contract.client ?? []).map((it) => method(it, () => send({ hub: name, method: it.name }), "Send"));
  return make(
    "section",
    { class: "card" },
    make("h2", {}, contract.name ?? name),
    contract.docs && make("p", { class: "docs" }, prose(contract.docs)),
    events.length > 0 && make("p", { class: "soft note" }, `handles: ${events.join(", ")}`),
    methods.length > 0 && [make("h3", {}, "Methods that clients call"), make("ul", { class: "methods" }, methods)],
    client.length > 0 && [make("h3", {}, "Methods of the clients"), make("ul", { class: "methods" }, client)],
  );
}

export function draw() {
  const key = JSON.stringify([world.instance, world.hubs.map(({ name, contract }) => [name, Boolean(contract)])]);
  if (key === drawn) {
    return;
  }
  drawn = key;
  byId("hubs").replaceChildren(
    ...(world.hubs.length > 0
      ? world.hubs.map(hub)
      : [make("p", { class: "empty" }, "No hub has been seen yet. A hub appears with its first client or call.")]),
  );
}
