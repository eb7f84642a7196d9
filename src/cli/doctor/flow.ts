import type { Clock } from '../../base/clock.js';
import { Deadline } from '../../base/deadline.js';
import { MeshError } from '../../base/errors.js';
import { healthPath } from '../../config/paths.js';
import type { EventClient } from '../../mesh/event-client.js';
import { matchesPath, serviceOfQuery } from '../../messages/uri.js';
import { heldBefore } from '../event-age.js';
import { type Health, type PathHealth, readHealth, type SubscriberHealth } from '../read-health.js';
import type { Edge } from './finding.js';

/** What was seen of an edge while it was listened to. */
export interface Flow {
  readonly seconds: number;
  /** Events that came, latched ones apart. */
  readonly live: number;
  readonly latched: number;
  /** The newest event, live or latched. */
  readonly lastSequence: number | undefined;
  /** Seconds since a latched event was sent, where one clock tells. */
  readonly latchedAgeS: number | undefined;
  /** What `/health` said of the path, all paths of a wildcard together, first and last. */
  readonly before: PathHealth | undefined;
  readonly after: PathHealth | undefined;
  readonly subscribers: readonly SubscriberHealth[];
  /** The service that events say they come from, when it is not the one that was asked. */
  readonly otherService: string | undefined;
  /** Why a payload could not be read. */
  readonly unreadable: string | undefined;
  /** Why the subscription ended. */
  readonly failure: MeshError | undefined;
}

export interface FlowOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Listens to the edge and to `/health` until both have shown that data flows, or `timeoutMs` is over. */
export async function watchFlow(client: EventClient, edge: Edge, options: FlowOptions): Promise<Flow> {
  const { clock } = options;
  const begin = clock.monotonic();
  const enough = new AbortController();
  using deadline = new Deadline(options.timeoutMs, options.signal, enough.signal);
  const { signal } = deadline;
  const isHeld = heldBefore(clock);
  const seen = {
    live: 0,
    latched: 0,
    lastSequence: undefined as number | undefined,
    latchedAgeS: undefined as number | undefined,
    otherService: undefined as string | undefined,
    unreadable: undefined as string | undefined,
    failure: undefined as MeshError | undefined,
  };
  const healths: Health[] = [];
  const done = (): void => {
    if (healths.length > 0 && seen.live > 0) enough.abort();
  };
  const listen = async (): Promise<void> => {
    try {
      const { path, everyN, depth } = edge;
      // Whatever the subscriber asked for, a diagnosis must not make the publisher wait.
      const stream = client.events({ path, everyN, ...(depth === undefined ? {} : { depth }) }, { signal });
      for await (const event of stream) {
        const stated = serviceOfQuery(event.uri.query);
        if (stated !== undefined && stated !== edge.service) seen.otherService = stated;
        seen.lastSequence = event.sequence;
        if (isHeld(event)) {
          seen.latched += 1;
          const sent = event.stamp('service/send', clock.monotonicName);
          seen.latchedAgeS = sent === undefined ? undefined : clock.monotonic() - sent.stamp;
        } else if (event.path !== healthPath || edge.path === healthPath) seen.live += 1;
        try {
          void event.message;
        } catch (error) {
          seen.unreadable = MeshError.from(error).message;
        }
        done();
      }
    } catch (error) {
      seen.failure = MeshError.from(error);
      enough.abort();
    }
  };
  const hear = async (): Promise<void> => {
    try {
      for await (const event of client.events(healthPath, { signal })) {
        healths.push(readHealth(event));
        done();
      }
    } catch {
      // The subscription to the path meets the same refusal, and tells it.
    }
  };
  await Promise.all([listen(), hear()]);
  return {
    ...seen,
    seconds: clock.monotonic() - begin,
    before: pathHealth(healths[0], edge),
    after: pathHealth(healths.at(-1), edge),
    subscribers: healths.at(-1)?.subscribers ?? [],
  };
}

/** The health of an edge's path, or of all that its wildcard means, without the two subscriptions of ours. */
function pathHealth(health: Health | undefined, edge: Edge): PathHealth | undefined {
  const matching = [...(health?.paths ?? [])].filter(
    ([path]) => matchesPath(edge.path, path) && (path !== healthPath || edge.path === healthPath),
  );
  if (matching.length === 0) return undefined;
  const sum = (field: keyof PathHealth): number => matching.reduce((total, [, one]) => total + one[field], 0);
  const ours = edge.path === healthPath ? 2 : 1;
  const clients = Math.max(...matching.map(([, one]) => one.clients));
  return {
    sendCount: sum('sendCount'),
    rateHz: sum('rateHz'),
    dropped: sum('dropped'),
    clients: Math.max(0, clients - ours),
  };
}
