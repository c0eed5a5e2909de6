// The state of the service, as the last poll returned it.

import * as api from "./api.js";

export const world = {
  instance: undefined,
  service: {},
  stations: {},
  hubs: [],
  schemas: {},
  clients: [],
  groups: [],
  users: [],
};

/** The contracts by hub. They are asked for once per start of the service, which leaves them out of later answers. */
let contracts;

export async function poll(query) {
  const state = await api.state({ ...query, ...(contracts && { contract: "0" }) });
  const restarted = world.instance !== undefined && world.instance !== state.instance;
  const hubs = new Map(state.hubs.map((hub) => [hub.name, hub]));
  if (restarted && contracts) {
    contracts = undefined; // this answer has none
  } else {
    contracts ??= state.hubs.filter((hub) => hub.contract);
    contracts.forEach((hub) => hubs.set(hub.name, { ...hub, ...hubs.get(hub.name), contract: hub.contract }));
  }
  Object.assign(world, state, { hubs: [...hubs.values()], schemas: state.schemas ?? world.schemas });
  return restarted;
}

export const hubNames = () => world.hubs.map((hub) => hub.name);

export const contractOf = (hub) =>
  world.hubs.find((it) => it.name.toLowerCase() === hub?.toLowerCase())?.contract ?? undefined;

const called = (list, name) => list?.find((it) => it.name.toLowerCase() === name?.toLowerCase());

export const methodOf = (hub, name) => called(contractOf(hub)?.methods, name);
export const clientMethodOf = (hub, name) => called(contractOf(hub)?.client, name);
