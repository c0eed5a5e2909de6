// @ts-check
// A room in which a fake model answers word by word.

import { act, element, fragment, live } from "./live.js";
import { createTokensHub, registerTokensClient } from "./tokens-hub.js";

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);
/** `{ texts, done, item }` by answer id. `texts` has gaps for tokens that have not arrived yet. */
const answers = new Map();
/** The room in the address, or the lobby if that is no name of a room. */
const wanted = () => fragment().match(/^[\p{L}\p{N}-]{1,40}$/u)?.[0] ?? "lobby";
let room = wanted();

function answer(id, prompt) {
  if (!answers.has(id)) {
    const item = element("li", "writing");
    item.dataset.answer = id;
    item.append(element("p", "prompt"), element("p", "text"));
    byId("answers").append(item);
    answers.set(id, { texts: [], done: false, item });
    item.scrollIntoView({ block: "end" });
  }
  const known = answers.get(id);
  if (prompt) {
    known.item.querySelector(".prompt").textContent = prompt;
  }
  return known;
}

/** The text up to the first gap. */
function show({ texts, done, item }) {
  const hole = texts.findIndex((text) => text === undefined);
  const list = byId("answers");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  item.querySelector(".text").textContent = texts.slice(0, hole < 0 ? texts.length : hole).join("");
  item.classList.toggle("writing", !done);
  if (atEnd) {
    list.scrollTop = list.scrollHeight;
  }
  offer();
}

/** Updates the buttons. A room writes one answer at a time. */
function offer() {
  const writing = [...answers.values()].some((each) => !each.done);
  byId("send").hidden = writing;
  byId("stop").hidden = !writing;
}

function put(id, index, text) {
  const known = answer(id);
  while (known.texts.length < index) {
    known.texts.push(undefined);
  }
  known.texts[index] = text;
  return known;
}

/** @type {import("./tokens-hub.js").TokensClient} */
const handlers = {
  asked: ({ id, prompt }) => show(answer(id, prompt)),
  token: (id, index, text) => show(put(id, index, text)),
  done(id) {
    const known = answer(id);
    known.done = true;
    show(known);
  },
};

/** Joins and shows the answers so far. A token that arrives twice is stored once. */
async function present(connection) {
  const said = await createTokensHub(connection).join(room);
  answers.clear();
  byId("answers").replaceChildren();
  for (const { id, prompt, tokens, done } of said) {
    const known = answer(id, prompt);
    known.texts = tokens;
    known.done = done;
    show(known);
  }
  offer();
}

const connection = live("/tokens", present);
const tokens = createTokensHub(connection);
registerTokensClient(connection, handlers);

/** Shows the room in its field and in the address. `change` is a method of `history`. */
function showRoom(change) {
  byId("room").value = room;
  if (fragment() !== room) {
    history[change](null, "", `#${encodeURIComponent(room)}`);
  }
}

async function go(next) {
  const old = room;
  await tokens.leave(old);
  try {
    room = next;
    await connection.refresh();
    showRoom("pushState");
  } catch (error) {
    room = old;
    showRoom("replaceState");
    await connection.refresh();
    throw error;
  }
}

async function ask() {
  const field = byId("prompt");
  const prompt = field.value;
  await tokens.ask(room, prompt);
  field.value = "";
}

async function stop() {
  const writing = [...answers].find(([, { done }]) => !done);
  if (writing) {
    await tokens.cancel(writing[0]);
  }
}

showRoom("replaceState");
addEventListener("popstate", () => act(() => go(wanted())));
for (const [form, action] of Object.entries({ go: () => go(byId("room").value.trim()), ask })) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    act(action);
  });
}
byId("stop").addEventListener("click", () => act(stop));
