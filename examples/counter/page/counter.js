// @ts-check
// The counter: one value, four buttons.

import { createCounterHub, registerCounterClient } from "./counter-hub.js";
import { act, live } from "./live.js";

const value = document.getElementById("value");

const connection = live("/counter");
const counter = createCounterHub(connection);
registerCounterClient(connection, {
  changed(now) {
    value.textContent = now.toLocaleString();
    value.classList.remove("moved");
    void value.offsetWidth; // restarts the animation
    value.classList.add("moved");
  },
});

/** @type {NodeListOf<HTMLElement>} */
const buttons = document.querySelectorAll("[data-step]");
for (const button of buttons) {
  button.addEventListener("click", () => act(() => counter.add(Number(button.dataset.step))));
}
