// @ts-check
// The board: shows the notes, adds and removes them over the hub.

import { createBoardHub, registerBoardClient } from "./board-hub.js";
import { act, element, live } from "./live.js";

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);
/** Elements by note id. */
const shown = new Map();

/** @param {import("./board-hub.js").Note} note */
function add({ id, text }) {
  if (shown.has(id)) {
    return;
  }
  const item = element("li", "note");
  const remove = element("button", "", "Remove");
  remove.type = "button";
  remove.addEventListener("click", () => act(() => board.remove(id)));
  item.append(element("p", "", text), remove);
  shown.set(id, item);
  byId("notes").append(item);
}

function remove(id) {
  shown.get(id)?.remove();
  shown.delete(id);
}

async function present(connection) {
  const notes = await createBoardHub(connection).notes();
  byId("notes").replaceChildren();
  shown.clear();
  notes.forEach(add);
}

const connection = live("/realtime/board", present);
const board = createBoardHub(connection);
registerBoardClient(connection, { added: add, removed: remove });

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  act(async () => {
    await board.add(byId("text").value);
    byId("text").value = "";
  });
});

byId("shell").textContent = `curl -d 'buy milk' ${location.origin}/api/notes`;
