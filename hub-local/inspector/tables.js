// Clients, groups and users as tables, which are updated in place.

import * as act from "./act.js";
import { button, byId, make, setText } from "./dom.js";
import { follow } from "./live.js";
import { ago, bytes, count, plural, short, span } from "./words.js";
import { world } from "./world.js";

const PAGE = 100;
/** What the next poll asks for. */
export const asked = { view: "", find: "", clients: PAGE, offset: 0 };

const list = (names) => (names ?? []).join(", ");

const tables = {
  clients: {
    total: () => world.clients_total ?? world.stations.clients?.count ?? world.clients.length,
    key: (it) => it.connection,
    empty: "No client is connected.",
    columns: {
      Connection: (it) => short(it.connection),
      User: (it) => it.user ?? "anonymous",
      Hub: (it) => it.hub,
      Transport: (it) => [it.transport, it.protocol, it.resumable && "can resume"].filter(Boolean).join(" · "),
      Groups: (it) => list(it.groups),
      Since: (it) => ago(it.since),
      Waiting: (it) => bytes(it.waiting_bytes ?? 0),
      "Last sign": (it) => ago(it.last_seen),
    },
    actions: (it) => [
      ["Follow", () => follow("connection", it.connection)],
      ["Send", () => act.send({ hub: it.hub, kind: "connection", name: it.connection })],
      ["Join", () => act.membership("join", { hub: it.hub, connection: it.connection })],
      ["Leave", () => act.membership("leave", { hub: it.hub, connection: it.connection, group: it.groups?.[0] })],
      ["Close", () => act.close(it)],
    ],
    named: (it) => `connection ${short(it.connection)}${it.user ? ` of ${it.user}` : ""}`,
  },
  groups: {
    total: () => world.groups_total ?? world.groups.length,
    key: (it) => `${it.hub}/${it.name}`,
    empty: "No group has a member.",
    columns: { Group: (it) => it.name, Hub: (it) => it.hub, Members: (it) => count(it.members) },
    actions: (it) => [
      ["Follow", () => follow("group", it.name)],
      ["Send", () => act.send({ hub: it.hub, kind: "group", name: it.name })],
      ["Add", () => act.membership("join", { hub: it.hub, group: it.name })],
      ["Remove", () => act.membership("leave", { hub: it.hub, group: it.name })],
    ],
    named: (it) => `group ${it.name}`,
  },
  users: {
    total: () => world.users_total ?? world.users.length,
    key: (it) => `${it.hub}/${it.user}`,
    empty: "No user is connected or a member of a group.",
    columns: {
      User: (it) => it.user,
      Hub: (it) => it.hub,
      Connections: (it) => count(it.connections),
      Groups: (it) =>
        (it.groups ?? [])
          .map((group) => (group.ttl_seconds ? `${group.name} (${span(group.ttl_seconds)})` : group.name))
          .join(", "),
    },
    actions: (it) => [
      ["Follow", () => follow("user", it.user)],
      ["Send", () => act.send({ hub: it.hub, kind: "user", name: it.user })],
      ["Join", () => act.membership("join", { hub: it.hub, user: it.user })],
      ["Leave", () => act.membership("leave", { hub: it.hub, user: it.user, group: it.groups?.[0]?.name })],
    ],
    named: (it) => `user ${it.user}`,
  },
};

function rowOf(table, item) {
  const row = make("tr");
  row.item = item;
  for (const name of Object.keys(table.columns)) {
    row.append(make("td", { "data-label": name }));
  }
  const buttons = table.actions(item).map(([text], at) =>
    button(text, () => table.actions(row.item)[at][1](), {
      class: "small",
      "aria-label": `${text}: ${table.named(item)}`,
    }),
  );
  row.append(make("td", { class: "row-actions" }, buttons));
  return row;
}

/** Draws the table of a view. Rows stay the same elements, so that the focus stays. */
export function draw(view) {
  const table = tables[view];
  const body = byId(`${view}-rows`);
  const rows = new Map([...body.rows].map((row) => [row.key, row]));
  let before = null;
  const items = world[view];
  for (const item of items) {
    const key = table.key(item);
    const row = rows.get(key) ?? rowOf(table, item);
    rows.delete(key);
    row.key = key;
    row.item = item;
    Object.values(table.columns).forEach((text, at) => setText(row.cells[at], text(item)));
    const place = before ? before.nextSibling : body.firstChild;
    if (row !== place) {
      body.insertBefore(row, place);
    }
    before = row;
  }
  rows.forEach((row) => row.remove());
  const [here, total] = [items.length, table.total()];
  body.closest("table").hidden = here === 0;
  setText(byId(`${view}-empty`), here > 0 ? "" : asked.find ? "Nothing matches the search." : table.empty);
  byId(`${view}-empty`).hidden = here > 0;
  const { offset } = asked;
  const range = here > 0 && here < total ? `${count(offset + 1)} to ${count(offset + here)} of ` : "";
  setText(byId(`${view}-count`), range + plural(total, view.slice(0, -1)));
  byId(`${view}-back`).hidden = offset === 0;
  byId(`${view}-next`).hidden = offset + here >= total;
}

export function start(changed) {
  for (const [view, table] of Object.entries(tables)) {
    const search = make("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": `Search in ${view}`,
      autocomplete: "off",
      spellcheck: "false",
    });
    search.addEventListener("input", () => {
      asked.find = search.value.trim();
      asked.offset = 0;
      changed();
    });
    const turn = (text, by, name) => {
      const click = () => {
        asked.offset = Math.max(0, asked.offset + by);
        changed();
      };
      return button(text, click, { id: `${view}-${name}`, hidden: true });
    };
    const heads = [...Object.keys(table.columns), "Actions"].map((name) => make("th", { scope: "col" }, name));
    byId(view).append(
      make(
        "div",
        { class: "tools" },
        search,
        make("span", { id: `${view}-count`, class: "soft" }),
        button("Send to all…", () => act.send()),
      ),
      make(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of ${view}` },
        make(
          "table",
          { hidden: true },
          make("thead", {}, make("tr", {}, heads)),
          make("tbody", { id: `${view}-rows` }),
        ),
        make("p", { id: `${view}-empty`, class: "empty" }, table.empty),
        turn("Previous", -PAGE, "back"),
        turn("Next", PAGE, "next"),
      ),
    );
  }
}

export function opened(view) {
  asked.view = view in tables ? view : "";
  asked.offset = 0;
  asked.find = asked.view ? byId(view).querySelector("input").value.trim() : "";
}
