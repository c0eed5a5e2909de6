// What the page does: sends, groups, closing, and calls that run again. Each is a dialog.

import * as api from "./api.js";
import { advice, field, make, openDialog, options, prose, say } from "./dom.js";
import { argumentForm } from "./form.js";
import { payload } from "./payload.js";
import { event } from "./store.js";
import { milliseconds, plural, short, targetWords } from "./words.js";
import { clientMethodOf, contractOf, hubNames, methodOf, world } from "./world.js";

/** A form with one button, whose errors are shown in it. `run` returns a text if the dialog is done. */
export function form(label, run, ...children) {
  const error = make("div", { class: "error", role: "alert" });
  const go = make("button", { class: "primary" }, label);
  const element = make(
    "form",
    { class: "form", novalidate: true },
    ...children,
    error,
    make("div", { class: "actions" }, go),
  );
  element.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    error.replaceChildren();
    go.disabled = true;
    try {
      await run();
    } catch (failure) {
      error.replaceChildren(make("p", {}, failure.message), failure.fix ? make("p", {}, prose(failure.fix)) : "");
    }
    go.disabled = false;
  });
  return element;
}

function dialog(title, label, run, ...children) {
  const box = openDialog(
    title,
    form(
      label,
      async () => {
        const text = await run();
        box.close();
        say(text);
      },
      ...children,
    ),
  );
  return box;
}

/** A text field, or a list if the values are known. */
function chosen(label, value, known = []) {
  const input = make("input", { autocomplete: "off", spellcheck: "false" });
  if (known.length > 0) {
    const id = `known-${(chosen.lists = (chosen.lists ?? 0) + 1)}`;
    input.setAttribute("list", id);
    input.value = value ?? "";
    return {
      input,
      element: make(
        "div",
        {},
        field(label, input),
        make(
          "datalist",
          { id },
          known.map((it) => make("option", { value: it })),
        ),
      ),
    };
  }
  input.value = value ?? "";
  return { input, element: field(label, input) };
}

/** The form that sends a message. Its arguments are a form if the contract has the method. */
export function send({ hub, kind = "all", name = "", method = "" } = {}) {
  const hubField = chosen("Hub", hub ?? hubNames()[0], hubNames());
  const target = options(make("select"), [["all", "all clients"], "group", "user", "connection"], kind);
  const nameField = chosen("Name", name);
  const known = (contractOf(hubField.input.value)?.client ?? []).map((it) => it.name);
  const methodField = chosen("Method of the clients", method || known[0], known);
  const place = make("div");
  let [args, drawn] = [undefined, null];
  const redraw = () => {
    nameField.element.hidden = target.value === "all";
    const call = clientMethodOf(hubField.input.value, methodField.input.value);
    if (drawn === call) {
      return; // what was typed stays
    }
    drawn = call;
    args = argumentForm(call, world.schemas);
    place.replaceChildren(args.element);
  };
  target.addEventListener("change", redraw);
  methodField.input.addEventListener("input", redraw);
  hubField.input.addEventListener("input", redraw);
  redraw();
  const run = async () => {
    const to = target.value === "all" ? { kind: "all" } : { kind: target.value, name: nameField.input.value };
    const { recipients } = await api.act({
      action: "send",
      hub: hubField.input.value,
      target: to,
      method: methodField.input.value,
      arguments: args.read(),
    });
    return `Sent to ${targetWords(to)}: ${plural(recipients ?? 0, "client")} reached`;
  };
  dialog(
    "Send a message",
    "Send",
    run,
    hubField.element,
    field("To", target),
    nameField.element,
    methodField.element,
    place,
  );
}

export function close({ hub, connection }) {
  const reason = chosen("Reason, which the client reads", "");
  const run = async () => {
    await api.act({ action: "close", hub, connection, reason: reason.input.value });
    return `Connection ${short(connection)} is closed`;
  };
  dialog(`Close connection ${short(connection)}`, "Close the connection", run, reason.element);
}

/** Adds a connection or a user to a group, or removes it. */
export function membership(action, { hub, group, connection, user }) {
  const groupField = chosen("Group", group, [
    ...new Set([...world.groups.filter((it) => it.hub === hub).map((it) => it.name)]),
  ]);
  const asked = connection === undefined && user === undefined;
  const kind = options(make("select"), ["user", "connection"]);
  const member = chosen("Name of the user, or id of the connection", "");
  const ttl = make("input", { inputmode: "numeric" });
  const ttlField = field("Seconds, for users only", ttl, { hint: "empty: one year" });
  const forUser = () => (asked ? kind.value === "user" : user !== undefined);
  const show = () => (ttlField.hidden = action === "leave" || !forUser());
  kind.addEventListener("change", show);
  show();
  const run = async () => {
    const who = asked ? { [kind.value]: member.input.value } : user !== undefined ? { user } : { connection };
    const seconds = !ttlField.hidden && ttl.value.trim() !== "" && { ttl_seconds: Number(ttl.value) };
    await api.act({ action, hub, group: groupField.input.value, ...who, ...seconds });
    const name = Object.values(who)[0];
    return `${user === undefined && !who.user ? short(name) : name} ${action === "join" ? "is in" : "has left"} group ${groupField.input.value}`;
  };
  const who = asked ? "a member" : user !== undefined ? `user ${user}` : `connection ${short(connection)}`;
  const title = action === "join" ? `Add ${who} to a group` : `Remove ${who} from a group`;
  const fields = asked ? [field("Who", kind), member.element] : [];
  dialog(title, action === "join" ? "Add" : "Remove", run, groupField.element, ...fields, ttlField);
}

/** A body without the invocation id, which is new in each call. */
const comparable = (body) => JSON.stringify(body?.invocationId === undefined ? body : { ...body, invocationId: "" });

const outcome = (title, answer) =>
  make(
    "section",
    { class: "outcome" },
    make("h3", {}, title),
    make("p", { class: "soft" }, [answer?.status ?? "no answer", milliseconds(answer?.ms)].filter(Boolean).join(" · ")),
    answer?.text && make("p", { class: "why" }, answer.text),
    advice(answer?.fix),
    payload(`Answer ${title.toLowerCase()}`, answer?.body),
  );

/** Calls the app again, with the same or with changed arguments, and shows both answers. */
export function runAgain(row) {
  const call = event(row, "invocation");
  const first = call?.arguments;
  const known = Array.isArray(first);
  const args = known && argumentForm(methodOf(row.hub, row.method), world.schemas, first);
  const answers = make("div", { class: "answers", "aria-live": "polite" });
  const run = async () => {
    const changed = args && JSON.stringify(args.read()) !== JSON.stringify(first) ? { arguments: args.read() } : {};
    const { first: before, again } = await api.act({ action: "run_again", call: row.call, ...changed });
    const same = before?.status === again?.status && comparable(before?.body) === comparable(again?.body);
    answers.replaceChildren(
      make("p", { class: same ? "same" : "differs" }, same ? "Both answers are the same." : "The answers differ."),
      outcome("First", before ?? event(row, "answer")),
      outcome("Again", again),
    );
    answers.scrollIntoView({ block: "nearest" });
  };
  const note =
    "The app is called again under a new invocation id. The client gets no answer of this call; sends of the method reach clients as always.";
  const title = `Run ${row.method ?? "the call"} again`;
  const box = openDialog(
    title,
    make("p", { class: "soft note" }, note),
    form("Run again", run, args ? args.element : make("p", {}, "The call runs as it was.")),
    answers,
  );
  box.classList.add("wide");
}

runAgain.explain = (reason) => openDialog("No command", make("p", {}, reason));
