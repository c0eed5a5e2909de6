// The connection: connects and reconnects without limit, and reports the end of the session.

import { delay, sleep } from "./live.js";

const LOST = "The connection was lost before the server answered. Check the result and try again.";

/** Reads the status of negotiate responses, because the official client reports it only as text. */
class WatchedHttp extends signalR.HttpClient {
  #inner = new signalR.DefaultHttpClient(signalR.NullLogger.instance);
  #onUnauthorized;

  constructor(onUnauthorized) {
    super();
    this.#onUnauthorized = onUnauthorized;
  }

  async send(request) {
    try {
      return await this.#inner.send(request);
    } catch (error) {
      // A 401 of the service does not end the session: the token for the service is short-lived, and the next
      // negotiate response of the app contains a new one.
      const ours = new URL(request.url, location.href).origin === location.origin;
      if (ours && error.statusCode === 401) {
        this.#onUnauthorized(error.message.replace(/: Status code '401'$/, ""));
      }
      throw error;
    }
  }

  getCookieString(url) {
    return this.#inner.getCookieString(url);
  }
}

/** Error of pending calls after a sign-out. */
export class SignedOut extends Error {}

/** The server did not answer. It may have executed the call nevertheless. */
export class Unreachable extends Error {}

export class Connection {
  #hub;
  #unregister;
  #events;
  #ended = false;
  #run = 0;
  #online;

  /**
   * @param token     the session, which negotiate checks
   * @param register  registers the handlers on the given connection, and returns a function that removes them
   * @param events    `state("connecting" | "online" | "reconnecting")`, `lost()`, `async entered(connection)` after each
   *                  start (repeated if it throws), and `over(reason)` when the session is no longer valid
   */
  constructor(token, register, events) {
    this.#events = events;
    this.#hub = new signalR.HubConnectionBuilder()
      .withUrl("/chat", {
        accessTokenFactory: () => token,
        httpClient: new WatchedHttp((reason) => this.#over(reason)),
      })
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: ({ previousRetryCount }) => delay(previousRetryCount),
      })
      .configureLogging(signalR.LogLevel.None)
      .build();
    this.#unregister = register(this.#hub);
    this.#hub.onreconnecting(() => this.#lost());
    this.#hub.onreconnected(() => this.#entered());
    this.#hub.onclose(() => this.#closed());
    this.#offline();
  }

  /** Retries until it is connected, or the session has ended. */
  async start() {
    for (let attempt = 1; !this.#ended; attempt += 1) {
      try {
        await this.#hub.start();
      } catch {
        await sleep(delay(attempt));
        continue;
      }
      return this.#entered();
    }
  }

  /** Calls the hub. Waits for a connection if there is none. */
  async invoke(method, ...args) {
    await this.#online.promise;
    const run = this.#run;
    return this.#hub.invoke(method, ...args).catch((error) => {
      if (this.#ended) {
        throw new SignedOut();
      }
      throw run === this.#run ? error : new Unreachable(LOST);
    });
  }

  end() {
    this.#ended = true;
    this.#unregister();
    this.#online.reject(new SignedOut());
    return this.#hub.stop();
  }

  #offline() {
    let settle;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
    promise.catch(() => {}); // avoids an unhandled rejection if no call is waiting
    this.#online = { promise, ...settle };
  }

  #lost() {
    this.#run += 1;
    this.#offline();
    this.#events.lost();
    this.#events.state("reconnecting");
  }

  async #entered() {
    const run = this.#run;
    const gone = () => run !== this.#run || this.#ended;
    while (!gone()) {
      try {
        await this.#events.entered(this.#hub);
        break;
      } catch {
        await sleep(delay(3));
      }
    }
    if (!gone()) {
      this.#events.state("online");
      this.#online.resolve();
    }
  }

  /** The server closed the connection permanently. Reconnect as long as the session is valid. */
  async #closed() {
    if (this.#ended) {
      return;
    }
    this.#lost();
    await sleep(delay(2));
    await this.start();
  }

  #over(reason) {
    if (!this.#ended) {
      this.end();
      this.#events.over(reason);
    }
  }
}
