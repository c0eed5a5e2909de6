// Which rows are shown.

export const FIELDS = ["hub", "connection", "user", "group", "method"];

export const filter = { search: "", failures: false, hub: "", connection: "", user: "", group: "", method: "" };

export const isActive = () => filter.failures || filter.search !== "" || FIELDS.some((name) => filter[name] !== "");

/** The values that a field can match in an event. */
const values = {
  hub: (event) => [event.hub],
  connection: (event) => [event.connection, event.target?.kind === "connection" && event.target.name],
  user: (event) => [event.user, event.target?.kind === "user" && event.target.name],
  group: (event) => [event.group, event.target?.kind === "group" && event.target.name],
  method: (event) => [event.method, event.kind === "upstream" && event.event],
};

/** A part of the value in any case; in quotation marks the whole value. */
function matches(value, wanted) {
  const exact = wanted.length > 2 && wanted.startsWith('"') && wanted.endsWith('"');
  return exact ? value === wanted.slice(1, -1) : value.toLowerCase().includes(wanted.toLowerCase());
}

export const exactly = (value) => `"${value}"`;

function searched(row) {
  if (row.searchedVersion !== row.version) {
    row.searchedText = JSON.stringify(row.events).toLowerCase();
    row.searchedVersion = row.version;
  }
  return row.searchedText;
}

export function passes(row) {
  if (filter.failures && !row.failed) {
    return false;
  }
  for (const name of FIELDS) {
    const wanted = filter[name];
    if (
      wanted !== "" &&
      !row.events.some((event) => values[name](event).some((value) => value && matches(String(value), wanted)))
    ) {
      return false;
    }
  }
  if (filter.search === "") {
    row.searchedText = undefined;
    row.searchedVersion = undefined;
    return true;
  }
  return searched(row).includes(filter.search.toLowerCase());
}

/** The filter for the fragment of the URL. */
export function toParameters() {
  const parameters = new URLSearchParams();
  for (const name of [...FIELDS, "search"]) {
    if (filter[name] !== "") {
      parameters.set(name, filter[name]);
    }
  }
  if (filter.failures) {
    parameters.set("failures", "1");
  }
  return parameters;
}

export function fromParameters(parameters) {
  for (const name of [...FIELDS, "search"]) {
    filter[name] = parameters.get(name) ?? "";
  }
  filter.failures = parameters.get("failures") === "1";
}
