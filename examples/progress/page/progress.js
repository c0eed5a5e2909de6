// @ts-check
// Starts jobs over HTTP, and shows their progress as reported by the hub.

import { act, element, live } from "./live.js";
import { createProgressHub, registerProgressClient } from "./progress-hub.js";

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);
/** `{ item, done }` by job id. */
const shown = new Map();

function add({ id, name, total }) {
  const item = element("li", "card job");
  const bar = document.createElement("progress");
  bar.max = total;
  bar.setAttribute("aria-label", name);
  item.append(element("span", "name", name), element("span", "share"), bar);
  item.dataset.job = id;
  byId("jobs").prepend(item);
  shown.set(id, { item, done: -1 });
}

/**
 * Shows the state of a job. Updates can arrive late, so an update with less progress is ignored.
 *
 * @param {import("./progress-hub.js").Job} job
 */
function show(job) {
  if (!shown.has(job.id)) {
    add(job);
  }
  const known = shown.get(job.id);
  if (job.done > known.done) {
    known.done = job.done;
    const { item } = known;
    item.querySelector("progress").value = job.done;
    item.querySelector(".share").textContent =
      job.done === job.total ? "Done" : `${Math.floor((100 * job.done) / job.total)} %`;
    item.classList.toggle("done", job.done === job.total);
  }
}

async function present(connection) {
  const jobs = await createProgressHub(connection).jobs();
  shown.clear();
  byId("jobs").replaceChildren();
  jobs.forEach(show);
}

async function begin() {
  const answer = await fetch("/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: byId("name").value }),
  }).catch(() => {
    throw new Error("The server does not answer. Is it running?");
  });
  if (!answer.ok) {
    throw new Error((await answer.text()) || `The job was refused with status ${answer.status}.`);
  }
  show(await answer.json());
}

byId("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  act(begin);
});

await act(() => fetch("/visit", { method: "POST" }));
registerProgressClient(live("/progress", present), { progress: show });
