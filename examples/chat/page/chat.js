// The chat: session, rooms, and the handlers of all clicks.

import { Connection, SignedOut } from "./connection.js";
import * as view from "./view.js";

const LOBBY = "lobby";
const KEPT_MESSAGES = 500;
const STORED = "chat-session";

/** `{ token, user, role }`. Each tab has its own session; a reload keeps it. */
let session = null;
let connection = null;
/** `{ messages, unread }` by room name, in joining order. */
let rooms = new Map();
let current = LOBBY;
let people = new Set();
let online = false;

const byId = (id) => document.getElementById(id);

// Methods that the server calls.
const methods = {
  newMessage({ room, from, text }) {
    const { messages } = rooms.get(room) ?? addRoom(room);
    const message = { from, text, at: new Date() };
    const previous = messages.at(-1);
    messages.push(message);
    messages.splice(0, messages.length - KEPT_MESSAGES);
    if (room === current) {
      view.addMessage(message, session.user, previous);
    } else {
      rooms.get(room).unread += 1;
      showRooms();
    }
  },

  presence(user, here) {
    const known = people.has(user);
    if (here) {
      people.add(user);
    } else {
      people.delete(user);
    }
    if (online && known !== here) {
      view.showNews(here ? `${user} came in` : `${user} left`);
    }
    view.showPeople(people, session.user);
  },

  confirm: (question) => view.ask(question),
};

// Events of the connection.
const events = {
  state(state) {
    online = state === "online";
    view.showState(state);
  },

  lost() {
    people = new Set();
    view.showPeople(people, session.user);
    view.stopAsking();
  },

  /** A new connection is in no rooms, so join them again. */
  async entered(invoke, gone) {
    for (const room of [...rooms.keys()]) {
      try {
        await invoke("join", room);
      } catch (error) {
        if (gone()) {
          return;
        }
        forget(room);
        view.showError(error.message);
      }
    }
  },

  over(reason) {
    signOut(`You were signed out: ${reason}.`);
  },
};

function addRoom(room) {
  rooms.set(room, { messages: [], unread: 0 });
  showRooms();
  remember();
  return rooms.get(room);
}

function forget(room) {
  if (room !== LOBBY) {
    rooms.delete(room);
    remember();
    choose(current === room ? LOBBY : current);
  }
}

function choose(room) {
  current = room;
  rooms.get(room).unread = 0;
  showRooms();
  view.showMessages(rooms.get(room).messages, session.user);
}

function showRooms() {
  view.showRooms(rooms, current, (room) => {
    choose(room);
    byId("text").focus();
  });
}

function remember() {
  sessionStorage.setItem(STORED, JSON.stringify({ ...session, rooms: [...rooms.keys()] }));
}

function enter(stored) {
  session = { token: stored.token, user: stored.user, role: stored.role };
  rooms = new Map([LOBBY, ...(stored.rooms ?? [])].map((name) => [name, { messages: [], unread: 0 }]));
  people = new Set();
  remember();
  view.showChat(session.user, session.role);
  view.showPeople(people, session.user);
  choose(LOBBY);
  events.state("connecting");
  connection = new Connection(session.token, methods, events);
  connection.start();
}

function signOut(reason) {
  connection?.end();
  connection = null;
  sessionStorage.removeItem(STORED);
  view.stopAsking();
  view.showSignIn(reason);
}

async function signIn() {
  const body = JSON.stringify({ user: byId("user").value.trim(), password: byId("password").value });
  let answer;
  try {
    answer = await fetch("/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch {
    throw new Error("The server does not answer. Is it running?");
  }
  if (!answer.ok) {
    throw new Error((await answer.text()) || `Signing in failed with status ${answer.status}.`);
  }
  enter(await answer.json());
}

async function join(room) {
  await connection.call("join", room);
  if (!rooms.has(room)) {
    addRoom(room);
  }
  choose(room);
  byId("room").value = "";
  byId("text").focus();
}

async function openRoom() {
  const room = roomName();
  const opened = await connection.call("openRoom", room).finally(view.stopAsking);
  if (opened) {
    await join(room);
  } else {
    throw new Error(`The room ${room} was not opened: you said no, or it is open already.`);
  }
}

/** Clears the field immediately. If sending fails, the text is put back. */
async function send() {
  const field = byId("text");
  const text = field.value;
  field.value = "";
  try {
    await connection.call("sendMessage", current, text);
  } catch (error) {
    field.value ||= text;
    throw error;
  }
}

function roomName() {
  const room = byId("room").value.trim();
  if (!room) {
    byId("room").focus();
    throw new Error("Write the name of a room first.");
  }
  return room;
}

/** Runs an action and shows its error, if any. */
async function act(action) {
  view.clearError();
  try {
    await action();
  } catch (error) {
    if (!(error instanceof SignedOut)) {
      view.showError(error.message);
    }
  }
}

/** Runs an action. Clicks on the button are ignored until the action has ended. */
async function actOnce(button, action) {
  if (button.ariaBusy !== "true") {
    button.ariaBusy = "true";
    await act(action);
    button.ariaBusy = "false";
  }
}

function onSubmit(form, run) {
  const button = byId(form).querySelector("[type=submit]");
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    run(button);
  });
}

onSubmit("sign-in-form", (button) => actOnce(button, signIn));
onSubmit("join-form", (button) => actOnce(button, () => join(roomName())));
onSubmit("send-form", () => act(send));
byId("open-room").addEventListener("click", (event) => actOnce(event.currentTarget, openRoom));
byId("sign-out").addEventListener("click", () => signOut());
for (const account of document.querySelectorAll(".account")) {
  account.addEventListener("click", () => {
    byId("user").value = account.dataset.user;
    byId("password").value = account.dataset.password;
    byId("sign-in-form").querySelector("[type=submit]").focus();
  });
}

const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
if (stored) {
  enter(stored);
} else {
  view.showSignIn();
}
