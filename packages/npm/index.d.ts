/// <reference lib="esnext.disposable" />

/** Options of {@link startHubLocal}. */
export interface HubLocalOptions {
  /**
   * Where the service sends the events of clients: a URL for all hubs, or an object with a URL for each hub, for example
   * `{ chat: "http://127.0.0.1:7071/runtime/webhooks/signalr", "*": "http://127.0.0.1:7072/" }`. `*` is any other hub.
   * An object contains at least one URL. Default: `settings.json` in the current folder, if there is one. Without both,
   * events are not delivered.
   */
  upstream?: string | Readonly<Record<string, string | undefined>> | undefined;
  /** Port to listen on. Default: 0, a free port. */
  port?: number | undefined;
  /**
   * Access key, with which the app and the service sign. It is not on the command line of the service. Default: the variable
   * `HUB_LOCAL_KEY`, otherwise the well-known key of Microsoft's emulator.
   */
  key?: string | undefined;
  /** More arguments of `hub-local start`, for example `["--strict"]`. */
  args?: readonly string[] | undefined;
  /**
   * Variables of the service besides those of this process; `undefined` removes one. `HUB_LOCAL_URL` of this process is
   * not passed on, because it is the address of another service.
   */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Maximum time for the start, in milliseconds, up to 2147483647. Default: 10000. */
  timeout?: number | undefined;
  /**
   * Level of the log (`off`, `error`, `warn`, `info`, `debug`, `trace`) or directives of `tracing`. The log goes to standard
   * error of this process. Default: the variable `HUB_LOCAL_LOG`, otherwise `warn`.
   */
  log?: string | undefined;
}

/** A running service. */
export interface HubLocal {
  /** URL of the service, without a slash at its end: `http://127.0.0.1:51234`. */
  readonly url: string;
  /** Port of the service. */
  readonly port: number;
  /**
   * Connection string for the app: `Endpoint=http://127.0.0.1;Port=51234;AccessKey=…;Version=1.0;`. It contains the access
   * key.
   */
  readonly connectionString: string;
  /** Address of the inspector with its token, which is secret; `null` if the inspector is off. */
  readonly inspector: string | null;
  /**
   * Closes all clients, waits until the app has their `disconnected` events (at most 10 s, `--stop-within`), and resolves when
   * the process has ended. Kills it after 15 s, also if `--stop-within` is longer. Further calls return the same promise. Never
   * rejects.
   */
  stop(): Promise<void>;
  /** {@link stop}, for `await using`. Absent in versions of Node without `Symbol.asyncDispose` (before 18.18, and 19.0 to 20.3). */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts the service and resolves when it accepts connections.
 *
 * The service stops with {@link HubLocal.stop}. If it still runs when this process ends, also if it is killed, or when the worker
 * thread that called the function ends, it begins to stop at once, and takes at most 10 s (`--stop-within`). A service that was
 * not stopped does not keep the process or thread running.
 *
 * The promise rejects with a `TypeError` if an option is wrong, and with an `Error`, whose message contains what the service has
 * printed on standard error, if
 * - there is no binary for this system: the message contains what to install;
 * - the service ends before it accepts connections, for example because the port is in use;
 * - the service does not accept connections within {@link HubLocalOptions.timeout}.
 */
export function startHubLocal(options?: HubLocalOptions): Promise<HubLocal>;
