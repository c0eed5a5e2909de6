// The screen. User input is inserted as text, never as markup.

const byId = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text ?? "";
  return made;
}

/** Colours an avatar. The colour depends only on the name, so it is the same in all tabs. */
function paint(avatar, name) {
  let hash = 7;
  for (const character of name) {
    hash = (hash * 31 + character.codePointAt(0)) % 3600;
  }
  avatar.style.setProperty("--hue", String(hash % 360));
  avatar.textContent = [...name][0]?.toUpperCase() ?? "?";
  return avatar;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

const STATES = { connecting: "Connecting…", online: "Connected", reconnecting: "Reconnecting…" };

/** Shows an error in the sign-in form, or above the message field. */
export function showError(text) {
  const view = byId("chat").hidden ? byId("welcome") : byId("chat");
  view.querySelector("[data-place]").append(byId("error"));
  byId("error").hidden = false;
  byId("error").textContent = text;
}

export function clearError() {
  byId("error").hidden = true;
  byId("error").textContent = "";
}

export function showSignIn(reason) {
  byId("chat").hidden = true;
  byId("welcome").hidden = false;
  byId("password").value = "";
  document.title = "Sign in · Chat";
  byId(byId("user").value ? "password" : "user").focus();
  if (reason) {
    showError(reason);
  } else {
    clearError();
  }
}

export function showChat(user, role) {
  clearError();
  byId("welcome").hidden = true;
  byId("chat").hidden = false;
  byId("my-name").textContent = user;
  byId("my-role").textContent = role;
  paint(byId("my-avatar"), user);
  byId("news").textContent = "";
  document.title = "Chat";
  byId("text").focus();
}

export function showState(state) {
  byId("status").dataset.state = state;
  byId("status").textContent = STATES[state];
}

export function showNews(text) {
  byId("news").textContent = text;
}

export function showPeople(names, me) {
  const items = [...names].sort().map((name) => {
    const item = element("li", "person");
    item.dataset.user = name;
    item.append(paint(element("span", "avatar"), name), element("span", "name", name));
    item.firstChild.setAttribute("aria-hidden", "true");
    if (name === me) {
      item.append(element("span", "you", "you"));
    }
    return item;
  });
  byId("people").replaceChildren(...items);
  byId("people-count").textContent = items.length || "";
}

export function showRooms(rooms, current, choose) {
  const items = [...rooms].map(([name, room]) => {
    const button = element("button", "room");
    button.type = "button";
    button.dataset.room = name;
    button.append(element("span", "name", name));
    if (name === current) {
      button.setAttribute("aria-current", "true");
    } else if (room.unread > 0) {
      const badge = element("span", "badge", room.unread);
      badge.setAttribute("aria-label", `${room.unread} new`);
      button.append(badge);
    }
    button.addEventListener("click", () => choose(name));
    const item = element("li", "");
    item.append(button);
    return item;
  });
  byId("rooms").replaceChildren(...items);
  byId("room-title").textContent = current;
  byId("text").placeholder = `Message to ${current}`;
}

function messageItem({ from, text, at }, me, previous) {
  const item = element("li", from === me ? "message mine" : "message");
  const follows = previous?.from === from && at - previous.at < 5 * 60_000;
  item.classList.toggle("follows", follows);
  const avatar = paint(element("span", "avatar"), from);
  avatar.setAttribute("aria-hidden", "true");
  const head = element("p", "head");
  const time = element("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  head.append(element("strong", "from", from), " ", time);
  const body = element("div", "body");
  body.append(head, element("p", "text", text));
  item.append(avatar, body);
  return item;
}

const list = byId("messages");
let atEnd = true;

function toEnd() {
  list.scrollTop = list.scrollHeight;
  atEnd = true;
}

list.addEventListener("scroll", () => {
  atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
});
new ResizeObserver(() => atEnd && toEnd()).observe(list);

export function showMessages(messages, me) {
  list.replaceChildren(
    ...messages.map((message, index) => messageItem(message, me, messages[index - 1])),
  );
  toEnd();
}

export function addMessage(message, me, previous) {
  list.append(messageItem(message, me, previous));
  if (atEnd || message.from === me) {
    toEnd();
  }
}

let asking = Promise.resolve();

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
