import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MeshError } from 'furrow';
import type { Observable } from 'rxjs';

import { Activities } from './activities.js';
import { removeAbandoned } from './activity-folder.js';
import { activityRoutes } from './activity-routes.js';
import { Agreements } from './agreements.js';
import { Allocations } from './allocations.js';
import { parseAmount } from './amount.js';
import { Billing } from './billing.js';
import { EventLog } from './event-log.js';
import { type Fault, Faults } from './faults.js';
import { Gsb } from './gsb.js';
import { HttpServer, type Upgrade } from './http-server.js';
import { endIdleAgreements } from './idle-agreements.js';
import { Images, type LocalImage } from './images.js';
import { Market } from './market.js';
import { marketRoutes } from './market-routes.js';
import { namespaceSandboxes } from './namespace-sandbox.js';
import { Networks } from './networks.js';
import { type NodeEvent, NodeEvents } from './node-events.js';
import { controlRoutes, gsbRoutes, identityRoutes, networkRoutes } from './node-routes.js';
import { pathsSandboxes } from './paths-sandbox.js';
import { paymentRoutes } from './payment-routes.js';
import { messageOf } from './problem.js';
import { ProviderPool } from './provider-pool.js';
import { addressOf, defaultProviders, type ProviderConfig } from './providers.js';
import { Stamps } from './stamps.js';
import { Timers } from './timers.js';

export interface GolemNodeOptions {
  /** Loopback address to listen on; any other is refused. Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0, which is any free port. */
  readonly port?: number;
  /** Key that clients have to show. Default a random one. */
  readonly appKey?: string;
  /** Default four of different price, speed and reliability. */
  readonly providers?: readonly ProviderConfig[];
  /** Images with something in them. Any other image has this machine's programs and an empty `/golem`. */
  readonly images?: readonly LocalImage[];
  /** Failures that are armed from the start. */
  readonly faults?: readonly Fault[];
  /** Where the folders of activities are made. Default one of this user's in the system's folder for such. */
  readonly folder?: string;
  /** `namespaces` fails where there are none, `paths` does without; default is the first where it works. */
  readonly isolation?: 'namespaces' | 'paths';
  /** Longest run of a command, in ms. Default 30 minutes. */
  readonly runTimeoutMs?: number;
  /** Most bytes that a command may print. Default 16 MiB. */
  readonly maxOutputBytes?: number;
  /** Most bytes of a file transfer. Default 1 GiB. */
  readonly maxTransferBytes?: number;
  /** Between debit notes, where a demand asks for no other interval. Default 2 minutes. */
  readonly debitNoteIntervalMs?: number;
  /** How long a provider keeps an agreement in which nothing runs, as real ones do. Default 90 s. */
  readonly idleAgreementMs?: number;
  /** GLM that the node pretends to have, as a decimal. Default `1000`. */
  readonly funds?: string;
  /** From 0 up to 1, for what unreliable providers decide. Default `Math.random`. */
  readonly random?: () => number;
}

/** A running local node. */
export interface GolemNode {
  /** For `YAGNA_API_URL`, and for `GOLEM_REGISTRY_URL`. */
  readonly url: string;
  /** For `YAGNA_APPKEY`. */
  readonly appKey: string;
  /** What the user is to be told at the start. */
  readonly notice: string;
  readonly isolation: 'namespaces' | 'paths';
  /** Everything that happens, from now on. */
  readonly events$: Observable<NodeEvent>;
  readonly faults: Faults;
  /** Makes a provider disappear, with all that runs there. */
  vanish(provider: string): void;
  /** Makes it offer again. */
  comeBack(provider: string): void;
  /** Lets a provider terminate an agreement. */
  terminate(agreementId: string, message: string): void;
  /** Cuts all connections for a time. */
  goAway(durationMs: number): void;
  /** Ends all activities, removes their folders, stops to listen. May be called twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Test networks and main networks that the node has an account on: driver, network, token. */
const platforms = ['holesky', 'hoodi', 'amoy', 'sepolia', 'goerli', 'mumbai', 'rinkeby']
  .map((network) => `erc20-${network}-tglm`)
  .concat(['erc20-mainnet-glm', 'erc20-polygon-glm']);

/**
 * Starts a stand-in for a Golem daemon with providers of its own: what a requestor asks for really runs, as processes
 * of this machine with the rights of this user; money is only counted.
 *
 * @throws {MeshError} `permission-denied` for a host beyond loopback, `invalid-argument` for options that make no
 * sense, `unavailable` when the port is taken, `failed-precondition` when the isolation asked for is not to be had.
 */
export async function startGolemNode(options: GolemNodeOptions = {}): Promise<GolemNode> {
  const host = loopback(options.host ?? '127.0.0.1');
  const appKey = options.appKey ?? randomBytes(32).toString('hex');
  const folder = options.folder ?? join(tmpdir(), `furrow-golem-node-${process.getuid?.() ?? 'user'}`);
  const identity = addressOf(appKey);
  removeAbandoned(folder);
  const sandboxes = await chooseSandboxes(folder, options.isolation);

  const stamps = new Stamps();
  const timers = new Timers();
  const nodeEvents = new NodeEvents();
  const faults = new Faults();
  const agreementLog = new EventLog(stamps);
  const debitNoteLog = new EventLog(stamps);
  const invoiceLog = new EventLog(stamps);
  const gsb = new Gsb();
  const networks = new Networks();
  const funds = parseAmount(options.funds ?? '1000');
  if (funds === undefined) throw new MeshError('invalid-argument', `funds "${options.funds}" is no amount of GLM`);
  const images = checked(() => new Images(options.images ?? []));
  checked(() => (options.faults ?? []).map((fault) => faults.arm(fault)));

  const shared = { identity, platforms, faults, events: nodeEvents, stamps, timers };
  const providers = checked(() => new ProviderPool(options.providers ?? defaultProviders, nodeEvents));
  const market = new Market({ ...shared, providers });
  const random = options.random ?? Math.random;
  const agreements = new Agreements({ ...shared, providers, market, log: agreementLog, random });
  const activities = new Activities(agreements, {
    ...shared,
    providers,
    images,
    sandboxes,
    gsb,
    limits: {
      runTimeoutMs: options.runTimeoutMs ?? 30 * 60_000,
      maxOutputBytes: options.maxOutputBytes ?? 16 << 20,
      maxTransferBytes: options.maxTransferBytes ?? 1 << 30,
    },
    breakAgreement: ({ id }) => agreements.terminate(id, 'Provider', { message: 'the provider ended it' }),
  });
  endIdleAgreements(agreements, activities, { timers, idleMs: options.idleAgreementMs ?? 90_000 });
  const allocations = new Allocations({ ...shared, funds });
  const debitNoteIntervalMs = options.debitNoteIntervalMs ?? 120_000;
  const billing = new Billing(agreements, activities, {
    ...shared,
    providers,
    allocations,
    debitNoteLog,
    invoiceLog,
    debitNoteIntervalMs,
  });

  let url = '';
  const goAway = (durationMs: number) => server.goAway(durationMs);
  const server = new HttpServer({
    appKey,
    faults,
    routes: [
      ...identityRoutes({ identity, images, url: () => url }),
      ...marketRoutes(market, agreements, agreementLog),
      ...activityRoutes(activities, providers),
      ...paymentRoutes({ identity, platforms, allocations, billing, debitNoteLog, invoiceLog }),
      ...networkRoutes(networks),
      ...gsbRoutes(gsb),
      ...controlRoutes({ faults, providers, agreements, goAway }),
    ],
    upgrade: (path) => upgrade(path, gsb, networks),
  });
  const port = await server.listen(host, options.port ?? 0).catch((error: unknown) => {
    throw new MeshError('unavailable', `the local node cannot listen on ${host}:${options.port}: ${messageOf(error)}`, {
      cause: error,
    });
  });
  url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      timers.close();
      market.close();
      agreements.close();
      for (const log of [agreementLog, debitNoteLog, invoiceLog]) log.close();
      gsb.close();
      networks.close();
      await Promise.all([server.close(), activities.close()]);
      nodeEvents.close();
    })();
    return closing;
  };
  return {
    url,
    appKey,
    notice: sandboxes.notice,
    isolation: sandboxes.kind,
    events$: nodeEvents.events$,
    faults,
    vanish: (provider) => providers.vanish(provider),
    comeBack: (provider) => providers.comeBack(provider),
    terminate: (agreementId, message) => agreements.terminate(agreementId, 'Provider', { message }),
    goAway,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function upgrade(path: string, gsb: Gsb, networks: Networks): ReturnType<Upgrade> {
  const service = /^\/gsb-api\/v1\/services\/([^/]+)$/.exec(path)?.[1];
  if (service !== undefined) return gsb.has(service) ? (socket) => gsb.attach(service, socket) : undefined;
  const tunnel = /^\/net-api\/v1\/net\/([^/]+)\/tcp\/([^/]+)\/(\d{1,5})$/.exec(path);
  if (tunnel === null || !networks.reaches(tunnel[1]!, tunnel[2]!)) return undefined;
  return (socket) => networks.tunnel(Number(tunnel[3]), socket);
}

/** Whoever reaches the node can run commands as this user, so nobody else may. */
function loopback(host: string): string {
  const name = host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1');
  if ((isIP(name) === 4 && name.startsWith('127.')) || name === '::1') return name;
  throw new MeshError(
    'permission-denied',
    `the local node does not listen on ${JSON.stringify(host)}: it runs commands with your rights, so it stays on ` +
      'loopback; give 127.0.0.1, ::1 or localhost',
  );
}

async function chooseSandboxes(folder: string, wanted: GolemNodeOptions['isolation']) {
  if (wanted === 'paths') return pathsSandboxes(folder);
  const namespaces = await namespaceSandboxes(folder);
  if (namespaces === undefined && wanted === 'namespaces') {
    throw new MeshError('failed-precondition', 'user and mount namespaces are not to be had on this machine');
  }
  return namespaces ?? pathsSandboxes(folder);
}

function checked<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new MeshError('invalid-argument', messageOf(error), { cause: error });
  }
}
