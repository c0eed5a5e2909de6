// The screen. User input is inserted as text, never as markup.

import { STATES, element } from "./live.js";

const byId = (id) => document.getElementById(id);

/** Time for which a notice is shown, in milliseconds. */
const NEWS = 6000;

/** Colours an avatar. The colour depends only on the name, so it is the same in all tabs. */
function paint(avatar, name) {
  let hash = 7;
  for (const character of name) {
    hash = (hash * 31 + character.codePointAt(0)) % 3600;
  }
  avatar.style.setProperty("--hue", String(hash % 360));
  avatar.textContent = [...name][0]?.toUpperCase() ?? "?";
  avatar.setAttribute("aria-hidden", "true");
  return avatar;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** The message of a form, and the field that refers to it by `aria-describedby`. */
function errorOf(form) {
  const place = byId(form).querySelector(".error");
  return [place, byId(form).querySelector(`[aria-describedby="${place.id}"]`)];
}

/** Shows an error at its form. If the input is at fault, the field gets the focus. A password is selected, so that it can be typed again. */
export function showError(form, text, invalid = false) {
  const [place, field] = errorOf(form);
  place.textContent = text;
  if (invalid) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
    if (field.type === "password") {
      field.select();
    }
  }
  place.scrollIntoView({ block: "nearest" });
}

export function clearError(form) {
  const [place, field] = errorOf(form);
  place.textContent = "";
  field.removeAttribute("aria-invalid");
}

export function showSignIn(reason = "") {
  byId("chat").hidden = true;
  byId("welcome").hidden = false;
  byId("password").value = "";
  document.title = "Sign in · Chat";
  byId(byId("user").value ? "password" : "user").focus();
  clearError("sign-in-form");
  showError("sign-in-form", reason);
}

export function showChat(user, role) {
  ["sign-in-form", "join-form", "send-form"].forEach(clearError);
  byId("welcome").hidden = true;
  byId("chat").hidden = false;
  byId("user").value = user;
  byId("my-name").textContent = user;
  byId("my-role").textContent = role;
  byId("open-room").hidden = role !== "moderator";
  paint(byId("my-avatar"), user);
  showNews("");
  byId("text").focus();
}

export function showState(state) {
  byId("chat").dataset.state = state;
  byId("status").dataset.state = state;
  byId("status").textContent = STATES[state];
}

let fading;

export function showNews(text) {
  clearTimeout(fading);
  byId("news").textContent = text;
  fading = setTimeout(() => (byId("news").textContent = ""), NEWS);
}

export function showPeople(names, me) {
  const items = [...names].sort().map((name) => {
    const item = element("li", "person");
    item.dataset.user = name;
    item.append(paint(element("span", "avatar"), name), element("span", "name", name));
    if (name === me) {
      item.append(element("span", "you", "you"));
    }
    return item;
  });
  byId("people").replaceChildren(...items);
  byId("people-count").textContent = items.length || "";
}

/** Shows the list of rooms, the lobby first, and the number of unread messages in the title. */
export function showRooms(rooms, current, choose) {
  const names = [...rooms.keys()].sort((one, other) => (other === "lobby") - (one === "lobby") || one.localeCompare(other));
  const focused = document.activeElement.dataset.room;
  const items = names.map((name) => {
    const button = element("button", "room");
    button.type = "button";
    button.dataset.room = name;
    button.append(element("span", "name", name));
    const { unread } = rooms.get(name);
    if (name === current) {
      button.setAttribute("aria-current", "true");
    } else if (unread > 0) {
      const badge = element("span", "badge", String(unread));
      badge.append(element("span", "hidden", " unread"));
      button.append(" ", badge);
    }
    button.addEventListener("click", () => choose(name));
    const item = element("li", "");
    item.append(button);
    return item;
  });
  byId("rooms").replaceChildren(...items);
  byId("rooms").querySelector(`[data-room="${CSS.escape(focused ?? "")}"]`)?.focus();
  if (byId("room-title").textContent !== current) {
    byId("room-title").textContent = current;
    byId("rooms").querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  byId("text").placeholder = `Message to ${current}`;
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${current} · Chat`;
}

function messageItem({ from, text, at }, me, previous) {
  const item = element("li", from === me ? "message mine" : "message");
  const follows = previous?.from === from && at - previous.at < 5 * 60_000;
  item.classList.toggle("follows", follows);
  const head = element("p", "head");
  const time = element("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  head.append(element("strong", "from", from), " ", time);
  const body = element("div", "body");
  body.append(head, element("p", "text", text));
  item.append(paint(element("span", "avatar"), from), body);
  return item;
}

const log = byId("log");
let atEnd = true;

function toEnd() {
  log.scrollTop = log.scrollHeight;
  atEnd = true;
}

log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
});
new ResizeObserver(() => atEnd && toEnd()).observe(log);

export function showMessages({ messages, unsent }, me) {
  byId("messages").replaceChildren(
    ...messages.map((message, index) => messageItem(message, me, messages[index - 1])),
  );
  showUnsent(unsent);
  toEnd();
}

export function addMessage(message, me, previous) {
  byId("messages").append(messageItem(message, me, previous));
  showEmpty();
  if (atEnd || message.from === me) {
    toEnd();
  }
}

/** Shows the messages that have not arrived, below all others. */
export function showUnsent(unsent) {
  const items = unsent.map(({ text }) => {
    const item = element("li", "message mine unsent");
    item.append(element("p", "text", text));
    return item;
  });
  byId("unsent").replaceChildren(...items);
  showEmpty();
  if (items.length > 0) {
    toEnd();
  }
}

function showEmpty() {
  byId("no-messages").hidden = byId("messages").childElementCount + byId("unsent").childElementCount > 0;
}

let asking = Promise.resolve(false);

/** Asks the user, one question at a time. Escape counts as no. */
export function ask(question) {
  asking = asking.then(() => {
    const dialog = byId("confirm");
    byId("question").textContent = question;
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  });
  return asking;
}

/** Closes the open question, if any. Its answer is "no". */
export function stopAsking() {
  if (byId("confirm").open) {
    byId("confirm").close("no");
  }
}

for (const avatar of document.querySelectorAll(".avatar[data-name]")) {
  paint(avatar, avatar.dataset.name);
}
