// A TCP proxy that breaks WebSockets on request.

import { once } from "node:events";
import { connect, createServer } from "node:net";

const HEAD_END = "\r\n\r\n";

/** The length of the first WebSocket frame in the bytes, if it is complete. */
function frameLength(bytes) {
  if (bytes.length < 2) {
    return undefined;
  }
  const short = bytes[1] & 0x7f;
  const extended = { 126: 2, 127: 8 }[short] ?? 0;
  const mask = bytes[1] & 0x80 ? 4 : 0;
  if (bytes.length < 2 + extended) {
    return undefined;
  }
  const payload = { 0: short, 2: extended === 2 && bytes.readUInt16BE(2), 8: extended === 8 && Number(bytes.readBigUInt64BE(2)) }[extended];
  const length = 2 + extended + mask + payload;
  return bytes.length >= length ? length : undefined;
}

/** A proxied WebSocket or HTTP connection, forwarded frame by frame. */
class Tunnel {
  frames = { up: 0, down: 0 };

  constructor(client, port, plan) {
    this.client = client;
    this.server = connect(port, "127.0.0.1");
    this.plan = plan;
    this.#forward(client, this.server, "up");
    this.#forward(this.server, client, "down");
    for (const socket of [client, this.server]) {
      socket.setNoDelay(true).on("error", () => {});
      socket.on("close", () => this.isSilent || this.cut());
    }
  }

  #forward(from, to, direction) {
    let waiting = Buffer.alloc(0);
    from.on("data", (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      if (!this.isWebSocket && !this.#head(direction, waiting)) {
        to.write(waiting);
        waiting = Buffer.alloc(0);
        return;
      }
      if (!this.ready[direction]) {
        const end = waiting.indexOf(HEAD_END);
        if (end < 0) {
          return;
        }
        to.write(waiting.subarray(0, end + HEAD_END.length));
        waiting = waiting.subarray(end + HEAD_END.length);
        this.ready[direction] = true;
      }
      for (let length; (length = frameLength(waiting)) !== undefined; waiting = waiting.subarray(length)) {
        if (this.plan && !this.plan(direction, this.frames)) {
          this.cut();
          return;
        }
        this.frames[direction] += 1;
        to.write(waiting.subarray(0, length));
      }
    });
  }

  /** Detects whether the connection becomes a WebSocket. */
  #head(direction, bytes) {
    if (direction === "up" && /\r\nupgrade: websocket\r\n/i.test(bytes.toString("latin1"))) {
      this.isWebSocket = true;
      this.ready = { up: false, down: false };
    }
    return this.isWebSocket;
  }

  cut() {
    this.client.destroy();
    this.server.destroy();
  }

  /** Breaks the connection on the client's side only. */
  cutSilently() {
    this.isSilent = true;
    this.client.destroy();
    this.server.pause();
  }
}

/**
 * A proxy for a port. `plans` apply to the next WebSockets, in order. Each is called before every frame;
 * `false` breaks the connection instead of forwarding the frame.
 */
export async function startProxy(port) {
  const tunnels = new Set();
  const proxy = { plans: [], webSockets: 0 };
  const server = createServer((client) => {
    const tunnel = new Tunnel(client, port, (direction, frames) => {
      if (!tunnel.counted) {
        tunnel.counted = true;
        proxy.webSockets += 1;
        tunnel.own = proxy.plans.shift();
      }
      return tunnel.own ? tunnel.own(direction, frames) : true;
    });
    tunnels.add(tunnel);
    tunnel.server.on("close", () => tunnels.delete(tunnel));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  const webSockets = () => [...tunnels].filter((tunnel) => tunnel.isWebSocket && !tunnel.isSilent);
  /** Breaks all open WebSockets. */
  proxy.cut = () => webSockets().forEach((tunnel) => tunnel.cut());
  /** Breaks all WebSockets on the side of the clients only; the service does not notice. */
  proxy.cutSilently = () => webSockets().forEach((tunnel) => tunnel.cutSilently());
  proxy.stop = () => {
    tunnels.forEach((tunnel) => tunnel.cut());
    server.close();
  };
  return proxy;
}
