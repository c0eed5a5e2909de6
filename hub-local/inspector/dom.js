// Elements. Every text is inserted as text, never as markup.

/**
 * Creates an element. Members of `properties` are attributes; functions are event listeners (`click`), and `true`
 * and `false` set and omit an attribute. Children are elements or texts; `null` and `false` are left out.
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") {
      element.addEventListener(name, value);
    } else if (value !== false && value !== undefined && value !== null) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** An icon of the sprite in index.html. It is decoration: the text beside it, or a label, has the meaning. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A text whose parts in backticks are code. */
export const prose = (text) => text.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part));

/** What to check after a failure, in the words of the log. */
export const advice = (fix) => fix && make("p", { class: "fix" }, make("b", {}, "Check "), prose(fix));

export const byId = (id) => document.getElementById(id);

/** Sets a text only if it changed, so that a screen reader does not repeat it. */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export const button = (text, click, properties = {}) => make("button", { type: "button", click, ...properties }, text);

let fields = 0;
/** A label with its control. */
export function field(label, control, { hint, wide = false } = {}) {
  control.id ||= `field-${(fields += 1)}`;
  const explained = hint && make("small", { class: "soft", id: `${control.id}-hint` }, hint);
  if (explained) {
    control.setAttribute("aria-describedby", explained.id);
  }
  return make(
    "div",
    { class: wide ? "field wide" : "field" },
    make("label", { for: control.id }, label),
    control,
    explained,
  );
}

export function options(select, values, chosen = select.value) {
  const texts = values.map((value) => (Array.isArray(value) ? value : [value, value]));
  const same =
    [...select.options].map((option) => option.value).join("\n") === texts.map(([value]) => value).join("\n");
  if (!same) {
    select.replaceChildren(...texts.map(([value, text]) => make("option", { value }, text)));
  }
  if (texts.some(([value]) => value === chosen)) {
    select.value = chosen;
  }
  return select;
}

/** Shows a short text at the foot of the page, and reads it to screen readers. */
export function say(text) {
  const toast = byId("toast");
  toast.textContent = "";
  toast.hidden = false;
  toast.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (toast.hidden = true), 5000);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${what}`);
  } catch {
    // Without the clipboard (plain HTTP beyond loopback, or no permission) the text is shown instead.
    const area = make("textarea", { rows: 8, readonly: true, "aria-label": what });
    area.value = text;
    const box = openDialog(`Copy: ${what}`, area);
    area.select();
    return box;
  }
}

/** A modal dialog with a title. Escape and its button close it; the focus then returns. */
export function openDialog(title, ...children) {
  const heading = make("h2", { id: `dialog-${(fields += 1)}` }, title);
  const close = button(icon("close"), () => box.close(), { class: "quiet", "aria-label": "Close" });
  const box = make("dialog", { "aria-labelledby": heading.id }, make("header", {}, heading, close), ...children);
  const before = document.activeElement;
  box.addEventListener("close", () => {
    box.remove();
    before?.focus?.();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Arrow keys, Home and End move within a group of controls (tabs, rows); `go` gets the element that is reached. */
export function arrows(group, find, go) {
  group.addEventListener("keydown", (event) => {
    const all = find();
    const at = all.indexOf(document.activeElement);
    const next = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (at < 0 || next === undefined) {
      return;
    }
    event.preventDefault();
    go(all[(next + all.length) % all.length]);
  });
}
