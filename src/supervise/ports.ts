import { lookup } from 'node:dns/promises';
import { connect, createServer } from 'node:net';
import { MeshError } from '../base/errors.js';
import { FaultList } from '../base/faults.js';
import { pause } from '../base/pause.js';
import { listNames } from '../base/suggest.js';
import type { ServiceConfig } from '../config/types.js';
import { holderOf, type ListeningSocket, listeningSockets, listensOn } from './sockets.js';

/** A service that is a server. */
export type ServerConfig = ServiceConfig & { readonly port: number };

/**
 * Checks that each of the services, a process of its own, can have its port.
 *
 * @throws MeshError `invalid-argument` when two want one port or a host is not this machine; else `already-exists` with
 * every port that is in use and, as far as can be seen, the process that holds it
 */
export async function ensurePortsFree(services: readonly ServerConfig[], file: string): Promise<void> {
  const addresses = await Promise.all(services.map(addressesOf));
  const faults = new FaultList();
  for (const [index, service] of services.entries()) {
    const own = new Set(addresses[index]);
    const sharing = services
      .slice(0, index)
      .find((other, at) => other.port === service.port && addresses[at]?.some((address) => own.has(address)));
    if (sharing !== undefined) {
      const names = listNames([sharing.name, service.name]);
      const message = `${names} share ${service.host}:${service.port}, and only one process can listen there; give each its own port, or start one of them only (--without ${service.name})`;
      faults.add(`${service.at ?? service.name}.port`, message);
    }
  }
  faults.throwIfAny(file);
  const results = await Promise.all(services.map((service, index) => tryPort(service, addresses[index] ?? [])));
  const wrong = results.filter((result) => result?.code === 'invalid-argument');
  const taken = results.filter((result) => result !== undefined);
  const first = (wrong[0] ?? taken[0])?.code;
  if (first !== undefined) {
    const lines = (wrong.length > 0 ? wrong : taken).map((result) => result?.message ?? '');
    throw new MeshError(first, lines.join('\n  '));
  }
}

export interface ListeningOptions {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Whether a service is not waited for any more. */
  readonly isOver: (service: ServerConfig) => boolean;
  readonly onListening: (service: ServerConfig) => void;
}

/** Waits until each of the services listens on its port or is over. Resolves with those that listen. */
export async function untilListening(
  services: readonly ServerConfig[],
  { signal, isOver, onListening }: ListeningOptions,
): Promise<readonly ServerConfig[]> {
  const addresses = await Promise.all(services.map((service) => addressesOf(service).catch(() => [service.host])));
  const listening = new Set<ServerConfig>();
  while (!signal.aborted) {
    const waiting = services.filter((service) => !listening.has(service) && !isOver(service));
    if (waiting.length === 0) break;
    const sockets = listeningSockets();
    for (const service of waiting) {
      if (!(await isListening(service.port, addresses[services.indexOf(service)] ?? [], sockets))) continue;
      listening.add(service);
      onListening(service);
    }
    await pause(100, signal);
  }
  return services.filter((service) => listening.has(service));
}

async function addressesOf({ name, host }: ServiceConfig): Promise<readonly string[]> {
  try {
    return [...new Set((await lookup(host, { all: true })).map(({ address }) => address))];
  } catch (error) {
    const message = `host "${host}" of "${name}" has no address: ${(error as Error).message}`;
    throw new MeshError('invalid-argument', message, { cause: error });
  }
}

async function tryPort(
  { name, host, port }: ServerConfig,
  addresses: readonly string[],
): Promise<MeshError | undefined> {
  const codes = await Promise.all(addresses.map((address) => tryBind(address, port)));
  const taken = addresses.filter((_, index) => codes[index] === 'EADDRINUSE');
  if (taken.length > 0) {
    const holder = taken.map((address) => describeHolder(address, port)).find((text) => text !== '') ?? '';
    return new MeshError('already-exists', `port ${port} of "${name}" (${host}) is in use${holder}`);
  }
  // A name such as localhost may have an IPv6 address on a machine without IPv6: one of them is enough.
  if (codes.includes(undefined)) return undefined;
  const why =
    codes[0] === 'EACCES'
      ? `port ${port} of "${name}" needs more rights; choose one above 1023`
      : codes[0] === 'EADDRNOTAVAIL'
        ? `host ${host} of "${name}" is not this machine; start it there, and leave it out here (--without ${name})`
        : `"${name}" cannot listen on ${host}:${port} (${codes[0]})`;
  return new MeshError('invalid-argument', why);
}

/** The error code of listening there; undefined when it works. */
function tryBind(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function describeHolder(address: string, port: number): string {
  const sockets = (listeningSockets() ?? []).filter((socket) => listensOn(socket, { address, port }));
  const [socket] = sockets;
  if (socket === undefined) return '';
  const holder = holderOf(socket);
  if (holder === undefined) return ' by a process of another user';
  return ` by process ${holder.pid} (${holder.command})`;
}

async function isListening(
  port: number,
  addresses: readonly string[],
  sockets: readonly ListeningSocket[] | undefined,
): Promise<boolean> {
  if (sockets !== undefined) {
    return sockets.some((socket) => addresses.some((address) => listensOn(socket, { address, port })));
  }
  return (await Promise.all(addresses.map((address) => answers(address, port)))).includes(true);
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.end(() => resolve(true)));
    socket.once('error', () => undefined);
    socket.once('close', () => resolve(false));
  });
}
