// @ts-check
// The chat: session, rooms, and the handlers of all clicks.

import { createChatHub, registerChatClient } from "./chat-hub.js";
import { Connection, SignedOut, Unreachable } from "./connection.js";
import { fragment } from "./live.js";
import * as view from "./view.js";

const LOBBY = "lobby";
const KEPT_MESSAGES = 500;
const STORED = "chat-session";

/** `{ token, user, role }`. Each tab has its own session; a reload keeps it. */
let session = null;
let connection = null;
/** @type {import("./chat-hub.js").ChatHub} */
let hub;
/**
 * All rooms by name.
 *
 * @typedef {{ from: string, text: string, at: Date }} Message
 * @typedef {{ messages: Message[], unsent: { text: string }[], unread: number, joined: boolean }} Room
 * @type {Map<string, Room>}
 */
let rooms = new Map();
let current = LOBBY;
let people = new Set();
/** Rooms and people that the server has reported on this connection. */
let reported = { rooms: new Set(), people: new Set() };
let online = false;

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);

// Methods that the server calls.
/** @type {import("./chat-hub.js").ChatClient} */
const handlers = {
  newMessage({ room, from, text }) {
    const { messages, unsent } = addRoom(room);
    /** @type {Message} */
    const message = { from, text, at: new Date() };
    const previous = messages.at(-1);
    messages.push(message);
    messages.splice(0, messages.length - KEPT_MESSAGES);
    const mine = from === session.user;
    if (mine) {
      remove(unsent, unsent.find((waiting) => waiting.text === text));
    }
    if (room === current) {
      view.showUnsent(unsent);
      view.addMessage(message, session.user, previous);
    }
    if (!mine && (room !== current || document.hidden)) {
      rooms.get(room).unread += 1;
      showRooms();
    }
  },

  presence(user, here) {
    const known = people.has(user);
    for (const names of [people, reported.people]) {
      if (here) {
        names.add(user);
      } else {
        names.delete(user);
      }
    }
    if (online && known !== here) {
      view.showNews(here ? `${user} came in.` : `${user} left.`);
    }
    view.showPeople(people, session.user);
  },

  roomOpened(room) {
    reported.rooms.add(room);
    addRoom(room);
    view.showNews(`The room ${room} is open now.`);
  },

  confirm: (question) => view.ask(question),
};

// Events of the connection.
const events = {
  state(state) {
    online = state === "online";
    view.showState(state);
  },

  /** Rooms and people stay on the screen until the server reports others. */
  lost() {
    reported = { rooms: new Set(), people: new Set() };
    view.stopAsking();
  },

  /** Rooms may have ended with the server, and a new connection is in none of them. */
  async entered(connection) {
    const hub = createChatHub(connection);
    const open = [...(await hub.rooms()), ...reported.rooms];
    for (const room of rooms.keys()) {
      if (!open.includes(room)) {
        forget(room);
      }
    }
    open.forEach(addRoom);
    for (const [name, { joined }] of rooms) {
      if (joined) {
        await hub.join(name);
      }
    }
    people = reported.people;
    view.showPeople(people, session.user);
  },

  over(reason) {
    leave(`You were signed out. ${reason}`);
  },
};

const remove = (list, item) => list.includes(item) && list.splice(list.indexOf(item), 1);
const same = (one, other) => one.toLowerCase() === other.toLowerCase();

function addRoom(name) {
  if (!rooms.has(name)) {
    rooms.set(name, { messages: [], unsent: [], unread: 0, joined: false });
    showRooms();
  }
  return rooms.get(name);
}

function forget(room) {
  rooms.delete(room);
  if (current === room) {
    choose(LOBBY);
    fail("join-form", `The room ${room} is no longer open.`);
  }
  remember();
  showRooms();
}

/** Puts the shown room into the URL. An entry of the history that names no room of the list is replaced. */
function showInUrl() {
  const shown = fragment();
  if (shown !== current) {
    const change = rooms.has(shown) ? "pushState" : "replaceState";
    history[change](null, "", `#${encodeURIComponent(current)}`);
  }
}

function choose(room) {
  current = room;
  Object.assign(rooms.get(room), { unread: 0, joined: true });
  remember();
  showInUrl();
  showRooms();
  view.showMessages(rooms.get(room), session.user);
}

let visits = 0;

/** Shows a room and joins it. A room that is not in the list is shown when the server has found it. */
async function visit(name) {
  const visit = ++visits;
  const known = [...rooms.keys()].find((room) => same(room, name));
  const joined = rooms.get(known)?.joined;
  if (known) {
    choose(known);
  }
  if (joined) {
    return;
  }
  try {
    const room = await hub.join(name);
    addRoom(room).joined = true;
    if (visit === visits && room !== current) {
      choose(room);
    }
    remember();
  } catch (error) {
    if (connection) {
      showInUrl();
    }
    throw error;
  }
}

function showRooms() {
  view.showRooms(rooms, current, (room) => {
    act("join-form", () => visit(room));
    byId("text").focus();
  });
}

function remember() {
  const joined = [...rooms].filter(([, room]) => room.joined).map(([name]) => name);
  sessionStorage.setItem(STORED, JSON.stringify({ ...session, rooms: joined }));
}

function enter(stored) {
  if (session?.user !== stored.user) {
    byId("text").value = byId("room").value = "";
  }
  session = { token: stored.token, user: stored.user, role: stored.role };
  rooms = new Map();
  people = new Set();
  current = LOBBY;
  for (const room of [LOBBY, ...(stored.rooms ?? [])]) {
    addRoom(room).joined = true;
  }
  view.showChat(session.user, session.role);
  view.showPeople(people, session.user);
  view.showMessages(rooms.get(LOBBY), session.user);
  events.state("connecting");
  connection = new Connection(session.token, (connection) => registerChatClient(connection, handlers), events);
  hub = createChatHub(connection);
  connection.start();
  act("join-form", () => visit(fragment() || LOBBY));
}

/** Shows the sign-in form. Drafts stay for the same user, who may sign in again. */
function leave(reason) {
  connection?.end();
  connection = null;
  sessionStorage.removeItem(STORED);
  view.stopAsking();
  view.showSignIn(reason);
}

function signOut() {
  leave();
  session = null;
}

async function signIn(user, password) {
  const body = JSON.stringify({ user, password });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/login", { method: "POST", headers, body }).catch(() => {
    throw new Unreachable("The server does not answer. Is it running?");
  });
  if (!answer.ok) {
    throw new Error((await answer.text()) || `Signing in failed with status ${answer.status}.`);
  }
  enter(await answer.json());
}

async function join() {
  await visit(roomName());
  byId("room").value = "";
  byId("text").focus();
}

async function openRoom() {
  const room = roomName();
  const opened = await hub.openRoom(room).finally(view.stopAsking);
  if (opened) {
    await join();
  } else {
    view.showNews(`The room ${room} was not opened.`);
  }
}

/** Shows the message in grey until it arrives. If it is refused, the text is put back into the field. */
async function send() {
  const field = byId("text");
  const message = { text: field.value };
  if (!message.text.trim()) {
    throw new Error("Write a message first.");
  }
  const room = current;
  const { unsent } = rooms.get(room);
  field.value = "";
  unsent.push(message);
  view.showUnsent(unsent);
  try {
    await hub.sendMessage(room, message.text);
  } catch (error) {
    field.value = [message.text, field.value].filter(Boolean).join(" ");
    throw error;
  } finally {
    remove(unsent, message);
    view.showUnsent(rooms.get(current).unsent);
  }
}

function roomName() {
  const room = byId("room").value.trim();
  if (!room) {
    throw new Error("Write the name of a room first.");
  }
  return room;
}

let actions = 0;
/** For each form, the number of actions that had begun when its error was shown. */
const failed = new Map();

function fail(form, text, invalid) {
  failed.set(form, actions);
  view.showError(form, text, invalid);
}

/** Runs an action of a form, and shows its error there. A success removes all errors that were shown before it began. */
async function act(form, action) {
  const began = ++actions;
  view.clearError(form);
  try {
    await action();
    [...failed].filter(([, at]) => at < began).forEach(([other]) => view.clearError(other));
  } catch (error) {
    if (!(error instanceof SignedOut)) {
      fail(form, error.message, !(error instanceof Unreachable));
    }
  }
}

/** Runs an action. Its form is ignored until the action has ended. */
async function actOnce(form, action) {
  const { classList } = byId(form);
  if (!classList.contains("busy")) {
    classList.add("busy");
    await act(form, action);
    classList.remove("busy");
  }
}

function onSubmit(form, run) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    run(form);
  });
}

onSubmit("sign-in-form", (form) =>
  actOnce(form, () => signIn(byId("user").value.trim(), byId("password").value)),
);
onSubmit("join-form", (form) => actOnce(form, join));
onSubmit("send-form", (form) => act(form, send));
byId("open-room").addEventListener("click", () => actOnce("join-form", openRoom));
byId("sign-out").addEventListener("click", signOut);
/** @type {NodeListOf<HTMLElement>} */
const accounts = document.querySelectorAll(".account");
for (const account of accounts) {
  const { user, password } = account.dataset;
  account.addEventListener("click", () => actOnce("sign-in-form", () => signIn(user, password)));
}

addEventListener("popstate", () => connection && act("join-form", () => visit(fragment() || LOBBY)));
document.addEventListener("visibilitychange", () => {
  if (connection && !document.hidden) {
    rooms.get(current).unread = 0;
    showRooms();
  }
});

const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
if (stored) {
  enter(stored);
} else {
  view.showSignIn();
}
