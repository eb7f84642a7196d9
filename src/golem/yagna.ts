import { MeshError } from '../base/errors.js';
import type {
  CallOptions,
  DaemonActivity,
  DaemonMarket,
  DaemonNet,
  DaemonPayment,
  GolemDaemon,
  Identity,
} from './daemon.js';
import { gsbStorage } from './gsb-storage.js';
import { type GolemLogger, silentLogger } from './logger.js';
import { raceAbort } from './signals.js';
import { yagnaActivity } from './yagna-activity.js';
import { callYagna } from './yagna-calls.js';
import { yagnaMarket } from './yagna-market.js';
import { yagnaPayment } from './yagna-payment.js';
import { loadSdk, type YagnaApi } from './yagna-sdk.js';

/** The oldest daemon whose interface this is. */
const oldestYagna = '0.15.2';

export interface YagnaOptions {
  /** Default `YAGNA_API_URL`, else `http://127.0.0.1:7465`. */
  readonly url?: string | undefined;
  /** Default `YAGNA_APPKEY`. */
  readonly appKey?: string | undefined;
  /** One API elsewhere. Default `YAGNA_MARKET_URL`, `YAGNA_PAYMENT_URL`, `YAGNA_ACTIVITY_URL`. */
  readonly marketUrl?: string | undefined;
  readonly paymentUrl?: string | undefined;
  readonly activityUrl?: string | undefined;
  /** Default silent. */
  readonly logger?: GolemLogger | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * To be aborted when it is known that the daemon was started anew and has forgotten everything, as a local node does.
   * Whatever waits for it ends at once then: nothing is left there to be stopped, paid or released.
   */
  readonly gone?: AbortSignal | undefined;
  /** How long connecting may take. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Connects to a yagna daemon by golem-js's REST clients, and checks its version and the key.
 * Errors: `unauthenticated` without a key or with a wrong one, `unavailable` when nothing answers,
 * `failed-precondition` when the daemon is older than `oldestYagna`.
 */
export async function connectYagna(options: YagnaOptions = {}): Promise<GolemDaemon> {
  const { env } = process;
  const url = (options.url ?? env.YAGNA_API_URL ?? 'http://127.0.0.1:7465').replace(/\/+$/, '');
  const appKey = options.appKey ?? env.YAGNA_APPKEY;
  if (!appKey) {
    throw new MeshError(
      'unauthenticated',
      'No key for the golem daemon: set YAGNA_APPKEY (`yagna app-key list` shows it) or give appKey',
    );
  }
  const logger = options.logger ?? silentLogger;
  const sdk = loadSdk();
  // Only its REST clients are used. Its event readers are never started: they spin while the daemon is away and
  // lose events that share a timestamp.
  const at = (basePath: string): YagnaApi => new sdk.YagnaApi({ apiKey: appKey, basePath, logger: mute() });
  const api = at(url);
  const elsewhere = (other: string | undefined, suffix: string) => (other ? at(baseOf(other, suffix)) : api);
  const market = elsewhere(options.marketUrl ?? env.YAGNA_MARKET_URL, '/market-api/v1').market;
  const payment = elsewhere(options.paymentUrl ?? env.YAGNA_PAYMENT_URL, '/payment-api/v1').payment;
  const activity = elsewhere(options.activityUrl ?? env.YAGNA_ACTIVITY_URL, '/activity-api/v1').activity;

  const version = async (call?: CallOptions) =>
    (await callYagna('version', { timeoutMs: 5000, ...call }, () => api.version.getVersion())).current.version;
  const identity = async (call?: CallOptions): Promise<Identity> => {
    const raw = await callYagna('identity', call, () => api.identity.getIdentity());
    return { id: raw.identity, name: raw.name };
  };

  const limits = { signal: options.signal, timeoutMs: options.timeoutMs ?? 10_000 };
  assertVersion(await version(limits), url);
  const me = await identity(limits);
  const { gone } = options;

  const storage = gsbStorage({ gsb: api.gsb, url, appKey, nodeId: me.id, logger });
  return {
    url,
    appSessionId: api.appSessionId,
    gone,
    market: untilGone(yagnaMarket(market, api.appSessionId), url, gone),
    payment: untilGone(yagnaPayment(payment, api.appSessionId), url, gone),
    activity: untilGone(yagnaActivity(activity), url, gone),
    net: untilGone(yagnaNet(api.net, url), url, gone),
    storage,
    version,
    identity,
    close: () => storage.shutdown(),
  };
}

function yagnaNet(net: YagnaApi['net'], url: string): DaemonNet {
  return {
    createNetwork: ({ ip, mask, gateway }, call) =>
      callYagna('create network', call, () => net.createNetwork({ ip, mask, ...(gateway ? { gateway } : {}) })),
    removeNetwork: async (id, call) => {
      await callYagna(`remove network ${id}`, call, () => net.removeNetwork(id));
    },
    addNode: async (id, node, call) => {
      await callYagna(`add node to network ${id}`, call, () => net.addNode(id, { ...node }));
    },
    removeNode: async (id, nodeId, call) => {
      await callYagna(`remove node from network ${id}`, call, () => net.removeNode(id, nodeId));
    },
    tcpUrl: (id, ip, port) => `${url.replace(/^http/, 'ws')}/net-api/v1/net/${id}/tcp/${ip}/${port}`,
  };
}

/** Every call of the API fails with `not-found` once the daemon is gone, also one that is on its way. */
function untilGone<T extends DaemonMarket | DaemonPayment | DaemonActivity | DaemonNet>(
  api: T,
  url: string,
  gone: AbortSignal | undefined,
): T {
  if (!gone) return api;
  const fail = () => new MeshError('not-found', `The golem daemon at ${url} is gone, and all it held`);
  const guarded = Object.entries<(...args: never[]) => unknown>({ ...api }).map(([name, call]) => [
    name,
    (...args: never[]) => {
      const answer = call(...args);
      if (!(answer instanceof Promise)) return answer;
      return raceAbort(answer, gone, name).catch((error: unknown) => {
        throw gone.aborted ? fail() : error;
      });
    },
  ]);
  return Object.fromEntries(guarded) as T;
}

// The override names the whole API (`…/market-api/v1`), the SDK wants what comes before.
function baseOf(url: string, suffix: string): string {
  const trimmed = url.replace(/\/+$/, '');
  return trimmed.endsWith(suffix) ? trimmed.slice(0, -suffix.length) : trimmed;
}

function assertVersion(version: string, url: string): void {
  const numbers = (text: string) => (/(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const found = numbers(version);
  const wanted = numbers(oldestYagna);
  const firstDifference = wanted.findIndex((part, i) => part !== found[i]);
  const older = firstDifference >= 0 && (found[firstDifference] ?? -1) < (wanted[firstDifference] ?? 0);
  if (found.length === 0 || older) {
    throw new MeshError(
      'failed-precondition',
      `The golem daemon at ${url} is version "${version}"; ${oldestYagna} or newer is needed`,
    );
  }
}

// The SDK logs every failed call as an error; what matters reaches our own logger by the errors thrown.
function mute() {
  const none = () => undefined;
  const logger = { debug: none, info: none, warn: none, error: none, child: () => logger };
  return logger;
}
