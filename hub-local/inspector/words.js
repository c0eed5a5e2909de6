// Times, sizes and names as text.

const grouped = new Intl.NumberFormat("en");

export const count = (number) => grouped.format(number ?? 0);

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function milliseconds(ms) {
  if (ms === undefined || ms === null) {
    return "";
  }
  if (ms >= 60_000) {
    return span(ms / 1000);
  }
  if (ms >= 1000) {
    return `${(ms / 1000).toFixed(ms >= 10_000 ? 0 : 1)} s`;
  }
  return `${ms >= 100 ? Math.round(ms) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

/** A number of seconds in its two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) {
    return "0 s";
  }
  const [[name, size], next] = [units[first], units[first + 1]];
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  return `${Math.floor(whole / size)} ${name}${rest ? ` ${rest} ${next[0]}` : ""}`;
}

export function bytes(number) {
  if (number < 1024) {
    return `${count(number)} B`;
  }
  return number < 1024 ** 2 ? `${(number / 1024).toFixed(1)} KiB` : `${(number / 1024 ** 2).toFixed(1)} MiB`;
}

/** The time of day with milliseconds, in the time zone of the browser. */
export function clock(at) {
  const time = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return Number.isNaN(time.getTime()) ? "" : `${parts}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

export function ago(at) {
  const seconds = (Date.now() - Date.parse(at)) / 1000;
  return Number.isNaN(seconds) ? "" : seconds < 2 ? "now" : `${span(seconds)} ago`;
}

export const short = (id) => (id && id.length > 12 ? `${id.slice(0, 8)}…` : (id ?? ""));

/** The target of a send in words. */
export function targetWords(target) {
  const { kind = "all", name } = typeof target === "string" ? { kind: target } : (target ?? {});
  return kind === "all" ? "all clients" : `${kind} ${kind === "connection" ? short(name) : name}`;
}
