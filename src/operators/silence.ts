import { asyncScheduler, Observable, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';
import type { MeshEvent } from '../messages/mesh-event.js';
import { forward } from './forward.js';
import { RecentPaths } from './recent-paths.js';

/** A path fell silent, or is heard of again. */
export interface SilenceChange {
  readonly type: 'silent' | 'alive';
  /** The publishing service. */
  readonly service: string;
  readonly path: string;
  /** Milliseconds since the path was last heard of, or since the watch began. */
  readonly forMs: number;
}

export interface SilenceOptions {
  /** Paths to be heard of from the start; without them a path is watched from its first event on. */
  readonly expected?: readonly { readonly service: string; readonly path: string }[];
  /** Paths watched; the one not heard of for the longest is forgotten first. Default 10,000. */
  readonly maxPaths?: number;
  /** Tells the time. Default: RxJS's asyncScheduler. */
  readonly scheduler?: SchedulerLike;
}

interface Watched {
  readonly service: string;
  readonly path: string;
  readonly heardAt: number;
}

/**
 * A deadline on each path of a stream: emits `silent` once when a path has had no event for `deadlineMs`, and `alive`
 * when its next one comes.
 *
 * @example
 * client.subscribe('*').pipe(silence(2_000)).subscribe(({ type, path }) => console.warn(`${path} is ${type}`));
 */
export function silence(deadlineMs: number, options: SilenceOptions = {}): OperatorFunction<MeshEvent, SilenceChange> {
  const { expected = [], maxPaths = 10_000, scheduler = asyncScheduler } = options;
  return (events) =>
    new Observable((subscriber) => {
      // In the order in which they were last heard of, so that the first one's deadline is the next.
      const alive = new RecentPaths<Watched>(maxPaths);
      const silent = new RecentPaths<Watched>(maxPaths);
      let timer: Subscription | undefined;

      const watch = (): void => {
        const next = alive.oldest();
        if (timer !== undefined || next === undefined) return;
        timer = scheduler.schedule(check, Math.max(0, next.heardAt + deadlineMs - scheduler.now()));
        subscriber.add(timer);
      };

      const check = (): void => {
        timer = undefined;
        const now = scheduler.now();
        for (let next = alive.oldest(); next !== undefined; next = alive.oldest()) {
          const { service, path, heardAt } = next;
          if (heardAt + deadlineMs > now) break;
          alive.delete(service, path);
          silent.set(service, path, next);
          subscriber.next({ type: 'silent', service, path, forMs: now - heardAt });
        }
        watch();
      };

      const hear = (service: string, path: string): void => {
        const heardAt = scheduler.now();
        const silentSince = silent.get(service, path)?.heardAt;
        silent.delete(service, path);
        alive.set(service, path, { service, path, heardAt });
        watch();
        if (silentSince !== undefined) subscriber.next({ type: 'alive', service, path, forMs: heardAt - silentSince });
      };

      for (const { service, path } of expected) hear(service, path);
      forward(events, subscriber, ({ service, path }) => hear(service, path));
    });
}
