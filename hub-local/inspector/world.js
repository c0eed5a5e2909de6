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

/** Asks for the state. The contract is asked for once per start of the service. */
export async function poll(query) {
  const known = world.instance !== undefined && world.hasContract;
  const state = await api.state({ ...query, ...(known && { contract: "0" }) });
  const restarted = world.instance !== undefined && world.instance !== state.instance;
  const contracts = new Map(world.hubs.map((hub) => [hub.name, hub.contract]));
  const hubs = (state.hubs ?? []).map((hub) => ({
    ...hub,
    contract: hub.contract ?? (known && !restarted ? contracts.get(hub.name) : undefined),
  }));
  Object.assign(world, state, { hubs, schemas: state.schemas ?? world.schemas, hasContract: !restarted });
  return restarted;
}

export const hubNames = () => world.hubs.map((hub) => hub.name);

export const contractOf = (hub) =>
  world.hubs.find((it) => it.name.toLowerCase() === hub?.toLowerCase())?.contract ?? undefined;

const called = (list, name) => list?.find((it) => it.name.toLowerCase() === name?.toLowerCase());

export const methodOf = (hub, name) => called(contractOf(hub)?.methods, name);
export const clientMethodOf = (hub, name) => called(contractOf(hub)?.client, name);
