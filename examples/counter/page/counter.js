// The counter: one value to show, four buttons to change it.

import { act, live } from "./live.js";

const value = document.getElementById("value");

const { call } = live("/counter", {
  changed(now) {
    value.textContent = now.toLocaleString();
    value.classList.remove("moved");
    void value.offsetWidth; // lets the same animation begin again
    value.classList.add("moved");
  },
});

for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => act(() => call("add", Number(button.dataset.step))));
}
