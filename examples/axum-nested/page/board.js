// The board: shows the notes, adds and removes them over the hub.

import { act, element, live } from "./live.js";

const byId = (id) => document.getElementById(id);
/** Elements by note id. */
const shown = new Map();

function add({ id, text }) {
  if (shown.has(id)) {
    return;
  }
  const item = element("li", "note");
  const remove = element("button", "", "Remove");
  remove.type = "button";
  remove.addEventListener("click", () => act(() => call("remove", id)));
  item.append(element("p", "", text), remove);
  shown.set(id, item);
  byId("notes").append(item);
}

function remove(id) {
  shown.get(id)?.remove();
  shown.delete(id);
}

async function present(hub) {
  const notes = await hub.invoke("notes");
  byId("notes").replaceChildren();
  shown.clear();
  notes.forEach(add);
}

const { call } = live("/realtime/board", { added: add, removed: remove }, present);

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  act(async () => {
    await call("add", byId("text").value);
    byId("text").value = "";
  });
});

byId("shell").textContent = `curl -d 'buy milk' ${location.origin}/api/notes`;
