// What the tests of the chat page do in a tab.

export const online = (tab) => tab.locator('[data-testid="status"][data-state="online"]').waitFor();
export const reconnecting = (tab) => tab.locator('[data-testid="status"][data-state="reconnecting"]').waitFor();

export async function signIn(tab, user, password = `${user}-demo`) {
  await tab.getByTestId("user").fill(user);
  await tab.getByTestId("password").fill(password);
  await tab.getByTestId("sign-in").click();
}

export async function say(tab, text) {
  await tab.getByTestId("text").fill(text);
  await tab.getByTestId("send").click();
}

export async function openRoom(tab, room) {
  await tab.getByTestId("room").fill(room);
  await tab.getByTestId("open-room").click();
  await tab.getByTestId("confirm-yes").click();
  await inRoom(tab, room);
}

export async function joinRoom(tab, room) {
  await tab.getByTestId("room").fill(room);
  await tab.getByTestId("join").click();
}

export const inRoom = (tab, room) =>
  tab.getByTestId("current-room").getByText(room, { exact: true }).waitFor({ state: "attached" });
export const room = (tab, name) => tab.locator(`[data-testid="rooms"] [data-room="${name}"]`);
export const message = (tab, text) => tab.getByTestId("messages").getByText(text, { exact: true });
export const unsent = (tab, text) => tab.getByTestId("unsent").getByText(text, { exact: true });
export const person = (tab, name) => tab.locator(`[data-testid="people"] [data-user="${name}"]`);
/** The error of a form: `sign-in`, `room` or `send`. */
export const error = (tab, form, text) => tab.getByTestId(`${form}-error`).getByText(text);
