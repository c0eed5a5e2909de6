// Generated from the hubs of the app: `typescript PATH --js`,
// or `HubApp::typescript` in code. The next run overwrites changes.
/* eslint-disable */

/** A board for drawings. */
export interface BoardHub {
  /**
   * Draws a line, and *\/ returns its id.
   *
   * @param points - the points, at least two
   * @param delete_ - whether to delete the others
   * @returns Integers beyond 2^53 are rounded.
   */
  draw(
    points: number[],
    delete_?: boolean | null,
    new_?: string | null,
  ): Promise<number>;
  clear(): Promise<void>;
}

/** Returns the methods of the hub `Board` as functions. */
export declare function createBoardHub(connection: HubCaller): BoardHub;

/** The methods that the hub `Board` calls. */
export interface BoardClient {
  /**
   * A line was drawn.
   *
   * @param lineId - Integers beyond 2^53 are rounded.
   */
  drawn(lineId: number, points: number[]): void;
  mayClear(user: string): HubAnswer<boolean>;
}

/**
 * Registers a handler for each method that the hub `Board` calls. Reconnects keep
 * them. The returned function removes them.
 */
export declare function registerBoardClient(
  connection: HubReceiver,
  handlers: BoardClient,
): () => void;

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
