// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** The methods of the hub. */
export interface BoardHub {
  /** Returns the current state. Pages call it after each connect and reconnect. */
  notes(): Promise<Note[]>;
  /** @returns Integers beyond 2^53 are rounded. */
  add(text: string): Promise<number>;
  /** @param id - Integers beyond 2^53 are rounded. */
  remove(id: number): Promise<void>;
}

/** Returns the methods of the hub `Board` as functions. */
export declare function createBoardHub(connection: HubCaller): BoardHub;

/** The methods that the hub `Board` calls. */
export interface BoardClient {
  added(note: Note): void;
  /** @param id - Integers beyond 2^53 are rounded. */
  removed(id: number): void;
}

/**
 * Registers a handler for each method that the hub `Board` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerBoardClient(
  connection: HubReceiver,
  handlers: BoardClient,
): () => void;

/** One note on the board. */
export interface Note {
  /** Integers beyond 2^53 are rounded. */
  id: number;
  text: string;
}

/** A connection that calls hub methods: `HubConnection` of `@microsoft/signalr`. */
export interface HubCaller {
  invoke<T>(method: string, ...args: unknown[]): Promise<T>;
}

/** A connection that the server calls: `HubConnection` of `@microsoft/signalr`. */
export interface HubReceiver {
  on(method: string, handler: (...args: any[]) => unknown): void;
  off(method: string, handler: (...args: any[]) => unknown): void;
}

/** An answer to the server, now or later. It is never `undefined`. */
export type HubAnswer<T> = (T & ({} | null)) | Promise<T & ({} | null)>;
