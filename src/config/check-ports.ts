import { listNames } from '../base/suggest.js';
import type { Finding, PlacedService } from './finding.js';
import { statedProgram } from './service.js';
import type { ServiceConfig } from './types.js';

/**
 * Services on one host and port. That is legal when one process hosts them, as on a farm-ng robot, where names tell
 * them apart; it is a mistake when each is a process of its own. Entries that only say where a service is (no args,
 * no paths, no subscription but to themselves) and entries that state the same `program=` count as the former.
 */
export function checkPorts(places: readonly PlacedService[]): readonly Finding[] {
  const byAddress = new Map<string, PlacedService[]>();
  for (const place of places) {
    const { host, port } = place.service;
    if (port === undefined) continue;
    const address = `${machine(host)}:${port}`;
    const sharing = byAddress.get(address);
    if (sharing === undefined) byAddress.set(address, [place]);
    else sharing.push(place);
  }
  return [...byAddress.values()].flatMap(finding);
}

function finding(sharing: readonly PlacedService[]): readonly Finding[] {
  const [first, ...others] = sharing.map(({ service }) => service);
  const last = sharing.at(-1);
  if (first === undefined || last === undefined || others.length === 0) return [];
  const names = listNames([first, ...others].map(({ name }) => name));
  const at = last.at === '' ? 'port' : `${last.at}.port`;
  const where = `${names} share ${first.host}:${first.port}`;
  const running = [first, ...others].filter((service) => !isAddress(service));
  const program = statedProgram(first);
  const oneProgram = program !== undefined && others.every((service) => statedProgram(service) === program);
  if (running.length > 1 && !oneProgram) {
    const message = `${where}, and only one process can listen there; give each its own port, or host them in one process and say so with the same program= in their args`;
    return [{ severity: 'error', at, message }];
  }
  const message = `${where}: one process must host them all, and every subscription and request must name its service to tell them apart`;
  return [{ severity: 'warning', at, message }];
}

/** Whether the entry only says where a service is that somebody else runs. */
function isAddress({ name, args, published, requests, subscriptions }: ServiceConfig): boolean {
  const own = subscriptions.every(({ publisher }) => publisher === name);
  return own && args.length === 0 && published.length === 0 && requests.length === 0;
}

/** The ways to say "this machine" count as one, and so does listening on every address of it. */
function machine(host: string): string {
  const lower = host.toLowerCase().replace(/^\[|\]$/g, '');
  return lower === 'localhost' || lower === '::1' || lower === '::' || lower === '0.0.0.0' || lower.startsWith('127.')
    ? 'localhost'
    : lower;
}
