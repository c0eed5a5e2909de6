// The protocol of a SignalR service in serverless mode: client tokens, calls of the service, and its REST API.
// hub-local and Azure SignalR Service have the same one.

import { createHmac, timingSafeEqual } from "node:crypto";

/** An error whose text the client gets. The texts of other errors are only in the log. */
export class Refusal extends Error {}

/** A name in a path. HTTP libraries remove the segments `.` and `..`, even if they are encoded. */
function segment(name) {
  if (["", ".", ".."].includes(name))
    throw new Refusal("This name cannot be used.");
  return encodeURIComponent(name);
}

export class Service {
  #hub;
  #key;
  /** The URL of the service. */
  url;

  constructor(connectionString, hub) {
    const parts = connectionString
      .split(";")
      .filter((part) => part.includes("="));
    const setting = Object.fromEntries(
      parts.map((part) => {
        const at = part.indexOf("="); // the key may contain more of them
        return [
          part.slice(0, at).trim().toLowerCase(),
          part.slice(at + 1).trim(),
        ];
      }),
    );
    if (!setting.endpoint || !setting.accesskey) {
      throw new Error(
        "AzureSignalRConnectionString needs Endpoint and AccessKey",
      );
    }
    if (!/^https?:\/\/./.test(setting.endpoint)) {
      throw new Error(
        "the Endpoint of AzureSignalRConnectionString must begin with https:// or http://",
      );
    }
    this.url =
      setting.endpoint.replace(/\/$/, "") +
      (setting.port ? `:${setting.port}` : "");
    this.#key = setting.accesskey;
    this.#hub = hub;
  }

  #hmac(text) {
    return createHmac("sha256", this.#key).update(text).digest();
  }

  /** A JSON Web Token for the service. */
  #token(audience, claims = {}) {
    const part = (value) =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const unsigned = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, aud: audience, exp })}`;
    return `${unsigned}.${this.#hmac(unsigned).toString("base64url")}`;
  }

  /** The response to a negotiate request: the client connects to this URL with this token. */
  ticket(user) {
    const url = `${this.url}/client/?hub=${this.#hub}`;
    return { url, accessToken: this.#token(url, { nameid: user }) };
  }

  /** Whether a call comes from the service: it has one signature for each access key of the service. */
  isGenuine(headers) {
    const expected = this.#hmac(headers["x-asrs-connection-id"] ?? "");
    const signatures = (headers["x-asrs-signature"] ?? "")
      .split(",")
      .map((text) => text.trim());
    return signatures.some((text) => {
      const bytes = Buffer.from(text.replace(/^sha256=/i, ""), "hex");
      return (
        bytes.length === expected.length && timingSafeEqual(bytes, expected)
      );
    });
  }

  addToGroup(group, connection) {
    return this.#rest(
      "PUT",
      `groups/${segment(group)}/connections/${segment(connection)}`,
    );
  }

  sendToGroup(group, target, ...args) {
    return this.#rest("POST", `groups/${segment(group)}/:send`, {
      target,
      arguments: args,
    });
  }

  sendToUser(user, target, ...args) {
    return this.#rest("POST", `users/${segment(user)}/:send`, {
      target,
      arguments: args,
    });
  }

  async #rest(method, path, body) {
    const url = `${this.url}/api/hubs/${this.#hub}/${path}`;
    const response = await fetch(`${url}?api-version=2022-06-01`, {
      method,
      headers: {
        Authorization: `Bearer ${this.#token(url)}`,
        "Content-Type": "application/json",
      },
      body: body && JSON.stringify(body),
    });
    if (!response.ok)
      throw new Error(
        `the service answers ${response.status}: ${await response.text()}`,
      );
  }
}
