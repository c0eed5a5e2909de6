// A list that draws only the rows in view. Rows are counted from the newest, which is at the top.

const SPARE = 4;

export class RowList {
  #viewport;
  #space;
  #draw;
  #rows = [];
  #pool = [];
  #selected;
  #height = 0;
  /** The index of the first drawn row. */
  #first = 0;

  /** `draw(element, row)` fills an element; `select(row, byKey)` and `open(row)` are called for clicks and keys. */
  constructor(viewport, space, { draw, select, open }) {
    this.#viewport = viewport;
    this.#space = space;
    this.#draw = draw;
    this.select = select;
    viewport.addEventListener("scroll", () => this.#place(), { passive: true });
    viewport.addEventListener("keydown", (event) => this.#key(event, open));
    space.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option?.row) {
        this.choose(option.row);
        open(option.row);
      }
    });
    new ResizeObserver(() => this.refresh()).observe(viewport);
  }

  get selected() {
    return this.#selected;
  }

  get atTop() {
    return this.#viewport.scrollTop < this.#height / 2;
  }

  /** Sets the rows, oldest first. What is in view stays in view, unless the list is at its top. */
  set(rows) {
    const anchor = this.atTop ? undefined : this.#pool[0]?.row;
    const before = this.#first;
    // A copy, because the caller adds rows before the next call.
    this.#rows = rows.slice();
    const now = anchor ? this.#indexOf(anchor) : -1;
    if (now >= 0 && now !== before) {
      this.#space.style.height = `${rows.length * this.#height}px`;
      this.#viewport.scrollTop += (now - before) * this.#height;
    }
    this.refresh();
  }

  refresh() {
    this.#height = Number.parseFloat(getComputedStyle(this.#viewport).getPropertyValue("--row")) || 40;
    this.#space.style.height = `${this.#rows.length * this.#height}px`;
    this.#place();
  }

  choose(row, byKey = false) {
    this.#selected = row;
    this.#place();
    this.select(row, byKey);
  }

  #at(index) {
    return this.#rows[this.#rows.length - 1 - index];
  }

  #indexOf(row) {
    // Rows are in the order of their ids.
    let [low, high] = [0, this.#rows.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { id } = this.#rows[middle];
      if (id === row.id) {
        return this.#rows.length - 1 - middle;
      }
      [low, high] = id < row.id ? [middle + 1, high] : [low, middle - 1];
    }
    return -1;
  }

  #place() {
    const view = this.#viewport.clientHeight;
    const first = Math.max(0, Math.floor(this.#viewport.scrollTop / this.#height) - SPARE);
    const length = Math.min(this.#rows.length - first, Math.ceil(view / this.#height) + 2 * SPARE);
    this.#first = first;
    while (this.#pool.length < length) {
      const element = document.createElement("div");
      element.id = `row-${this.#pool.length}`;
      element.className = "row";
      element.setAttribute("role", "option");
      this.#pool.push(element);
      this.#space.append(element);
    }
    let active = "";
    this.#pool.forEach((element, at) => {
      const row = at < length ? this.#at(first + at) : undefined;
      element.hidden = !row;
      if (!row) {
        element.row = undefined;
        return;
      }
      element.style.transform = `translateY(${(first + at) * this.#height}px)`;
      element.setAttribute("aria-posinset", first + at + 1);
      element.setAttribute("aria-setsize", this.#rows.length);
      const chosen = row === this.#selected;
      element.setAttribute("aria-selected", chosen);
      active = chosen ? element.id : active;
      if (element.row !== row || element.version !== row.version) {
        element.row = row;
        element.version = row.version;
        this.#draw(element, row);
      }
    });
    if (active) {
      this.#viewport.setAttribute("aria-activedescendant", active);
    } else {
      this.#viewport.removeAttribute("aria-activedescendant");
    }
  }

  #key(event, open) {
    const at = this.#selected ? this.#indexOf(this.#selected) : -1;
    const page = Math.max(1, Math.floor(this.#viewport.clientHeight / this.#height) - 1);
    const moves = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.#rows.length - 1,
    };
    if (event.key === "Enter" && this.#selected) {
      event.preventDefault();
      open(this.#selected, true);
      return;
    }
    const next = moves[event.key];
    if (next === undefined || event.ctrlKey || event.metaKey || event.altKey || this.#rows.length === 0) {
      return;
    }
    event.preventDefault();
    const index = Math.min(Math.max(next, 0), this.#rows.length - 1);
    const [top, bottom] = [index * this.#height, (index + 1) * this.#height];
    const viewport = this.#viewport;
    if (top < viewport.scrollTop) {
      viewport.scrollTop = top;
    } else if (bottom > viewport.scrollTop + viewport.clientHeight) {
      viewport.scrollTop = bottom - viewport.clientHeight;
    }
    this.choose(this.#at(index), true);
  }
}
