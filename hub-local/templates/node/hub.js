// The hub: what pages call, and what they receive. Change this file first.

import { Refusal } from "./signalr.js";

const LOBBY = "lobby";

/** The name of the hub: `withUrl("/chat")`. */
export const name = "chat";

/** Determines the user of a new connection: `withUrl("/chat?user=ada")`. A real app checks a session or a token here. */
export function negotiate(query) {
  const user = query.get("user")?.trim();
  if (!user) throw new Refusal("Enter a name.");
  return user;
}

export async function connected({ connection, user }, service) {
  await service.addToGroup(LOBBY, connection);
  await service.sendToGroup(LOBBY, "joined", user);
}

export async function disconnected({ user }, service) {
  await service.sendToGroup(LOBBY, "left", user);
}

/** The methods that pages call: `await connection.invoke("say", "hi")`. */
export const methods = {
  async say({ user }, service, text) {
    if (typeof text !== "string" || !text.trim())
      throw new Refusal("Enter a text.");
    await service.sendToGroup(LOBBY, "said", { user, text });
  },
};
