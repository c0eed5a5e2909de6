// The counter: one value, four buttons.

import { act, live } from "./live.js";

const value = document.getElementById("value");

const { call } = live("/counter", {
  changed(now) {
    value.textContent = now.toLocaleString();
    value.classList.remove("moved");
    void value.offsetWidth; // restarts the animation
    value.classList.add("moved");
  },
});

for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => act(() => call("add", Number(button.dataset.step))));
}
