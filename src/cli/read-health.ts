import type { MeshEvent } from '../messages/mesh-event.js';

/** What `/health` says of one path. */
export interface PathHealth {
  readonly sendCount: number;
  readonly clients: number;
  readonly rateHz: number;
  readonly dropped: number;
}

/** A subscriber that loses events or has some queued; only furrow services tell of them. */
export interface SubscriberHealth {
  readonly peer: string;
  readonly path: string;
  readonly overflow: string;
  readonly depth: number;
  readonly delivered: number;
  readonly queued: number;
  readonly dropped: number;
}

export interface Health {
  readonly paths: ReadonlyMap<string, PathHealth>;
  readonly subscribers: readonly SubscriberHealth[];
}

const suffixes = {
  '/send_count': 'sendCount',
  '/send_clients': 'clients',
  '/rate': 'rateHz',
  '/dropped': 'dropped',
} as const;

/** Reads a `/health` event of a furrow or a farm-ng service; numbers that are not there are 0. */
export function readHealth(event: MeshEvent): Health {
  const { message } = event;
  const content = typeof message === 'object' && message !== null ? (message as Record<string, unknown>) : {};
  const paths = new Map<string, { sendCount: number; clients: number; rateHz: number; dropped: number }>();
  for (const [key, value] of Object.entries(content)) {
    const end = key.lastIndexOf('/');
    const field = suffixes[key.slice(end) as keyof typeof suffixes];
    if (field === undefined || end <= 0 || typeof value !== 'number') continue;
    const path = key.slice(0, end);
    const health = paths.get(path) ?? { sendCount: 0, clients: 0, rateHz: 0, dropped: 0 };
    health[field] = value;
    paths.set(path, health);
  }
  const { subscribers } = content;
  return { paths, subscribers: Array.isArray(subscribers) ? subscribers.filter(isSubscriber) : [] };
}

function isSubscriber(value: unknown): value is SubscriberHealth {
  if (typeof value !== 'object' || value === null) return false;
  const { peer, path, dropped, delivered, queued } = value as Partial<Record<keyof SubscriberHealth, unknown>>;
  return (
    typeof peer === 'string' &&
    typeof path === 'string' &&
    [dropped, delivered, queued].every((number) => typeof number === 'number')
  );
}
