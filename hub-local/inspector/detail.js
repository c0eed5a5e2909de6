// The details of one row: what happened, in order, and what to check.

import { runAgain } from "./act.js";
import * as curl from "./curl.js";
import { advice, button, byId, copy, icon, make } from "./dom.js";
import { steps } from "./steps.js";
import { event, failure } from "./store.js";
import { failureText, lamp, summary } from "./summary.js";
import { clock, milliseconds, plural, short } from "./words.js";

let drawn = { row: undefined, version: 0, events: 0 };

/** Shows a row, or only what is new in the row that is shown, so that the focus and opened parts stay. */
export function showDetail(row, { follow, close }) {
  const detail = byId("detail");
  if (drawn.row !== row || detail.hidden) {
    drawn = {
      row,
      version: 0,
      events: 0,
      list: make("ol", { class: "steps" }),
      top: make("div", { class: "top" }),
      more: make("p", { class: "soft note" }),
    };
    const heading = make("h2", { tabindex: "-1" });
    drawn.heading = heading;
    const bar = make(
      "div",
      { class: "detail-bar" },
      heading,
      button(icon("close"), close, { class: "quiet", "aria-label": "Close the details" }),
    );
    drawn.actions = make("div", { class: "actions" });
    detail.replaceChildren(bar, drawn.actions, drawn.top, drawn.list, drawn.more);
    detail.hidden = false;
    detail.scrollTop = 0;
  }
  if (drawn.version === row.version) {
    return;
  }
  drawn.version = row.version;
  const { title } = summary(row);
  drawn.heading.replaceChildren(make("span", { class: "lamp", "data-lamp": lamp(row) }), title);
  const before = drawn.actions.querySelectorAll("button").length;
  const buttons = actions(row);
  if (before !== buttons.length) {
    drawn.actions.replaceChildren(...buttons);
  }
  drawn.top.replaceChildren(...[facts(row, follow), trouble(row), legs(row)].filter(Boolean));
  for (const it of row.events.slice(drawn.events)) {
    drawn.list.append(...steps(it, row));
  }
  drawn.events = row.events.length;
  drawn.more.textContent =
    row.unkept > 0 ? `And ${plural(row.unkept, "further send")}, counted but not kept by the page.` : "";
}

function actions(row) {
  const [call, message] = [event(row, "upstream"), event(row, "invocation")];
  const buttons = [button("Copy link", () => copy(location.href, "link with the token of this run"))];
  if (call) {
    const copyAs = (name) => {
      const { reason, [name]: text } = curl.ofUpstream(call, message);
      return reason ? runAgain.explain(reason) : copy(text, "without the signature: an app that checks it answers 401");
    };
    buttons.unshift(
      button("Copy curl for POSIX shells", () => copyAs("posix")),
      button("Copy for PowerShell", () => copyAs("powershell")),
    );
    if (!row.before && message) {
      buttons.unshift(button("Run again", () => runAgain(row), { class: "primary" }));
    }
  }
  return buttons;
}

function facts(row, follow) {
  const links = ["hub", "user", "connection"].filter(
    (name) => row[name] !== undefined && row[name] !== null && row[name] !== "",
  );
  const items = links.flatMap((name) => [
    make("dt", {}, name),
    make(
      "dd",
      {},
      button(name === "connection" ? short(row[name]) : row[name], () => follow(name, row[name]), {
        class: "link",
        title: `Follow ${name} ${row[name]}`,
      }),
    ),
  ]);
  return make("dl", { class: "facts" }, make("dt", {}, "at"), make("dd", {}, clock(row.at)), items);
}

/** The reason of a failure and what to check, in the words of the log. */
function trouble(row) {
  const why = row.failed && failure(row);
  if (!why) {
    return null;
  }
  return make(
    "div",
    { class: "trouble" },
    make("p", { class: "why" }, failureText(row) || "It failed."),
    advice(why.fix),
    why.cause && make("p", { class: "soft note cause" }, "Cause ", make("code", {}, why.cause)),
  );
}

const at = (it) => (it ? Date.parse(it.at) + (Number(/\.\d{3}(\d{3})/.exec(it.at)?.[1]) || 0) / 1000 : NaN);

const IN_APP = "in the app";

/** How long each leg of a call took, as a bar with a legend. */
function legs(row) {
  const [call, sent, answer, end] = ["invocation", "upstream", "answer", "completion"].map((kind) => event(row, kind));
  if (!answer || answer.ms === undefined) {
    return null;
  }
  const parts = [
    ["in the queue", at(sent) - at(call)],
    [IN_APP, answer.ms],
    ["back to the client", at(end) - at(answer)],
  ].filter(([, ms]) => ms >= 0);
  const bar = make("div", { class: "legs", "aria-hidden": "true" });
  for (const [name, ms] of parts) {
    const part = make("span", { class: name === IN_APP && "app" });
    part.style.flexGrow = 1000 * Math.max(ms, 0.001);
    bar.append(part);
  }
  const legend = parts.map(([name, ms]) => make("li", {}, make("b", {}, milliseconds(ms)), ` ${name}`));
  return make("div", {}, bar, make("ul", { class: "legend" }, legend));
}
