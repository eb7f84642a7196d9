import { MeshError } from '../base/errors.js';
import { type Deferred, deferred } from './signals.js';

/** A bounded queue between a pushing source and one reader. */
export interface EventQueue<T> {
  /** Gives false when there was no room: then the reader gets `resource-exhausted` after what is queued. */
  push(item: T): boolean;
  /** The reader ends after what is queued. */
  end(): void;
  fail(error: unknown): void;
  iterate(onReturn?: () => void): AsyncIterableIterator<T>;
}

/** `depth`: items held at most. `what` names the queue in the error when it overflows. */
export function eventQueue<T>({ depth, what }: { depth: number; what: string }): EventQueue<T> {
  const items: T[] = [];
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wake: Deferred<void> | undefined;

  const signal = () => {
    wake?.resolve();
    wake = undefined;
  };
  const finish = (error?: { error: unknown }) => {
    if (ended) return;
    ended = true;
    failure = error;
    signal();
  };
  return {
    push(item) {
      if (ended) return false;
      if (items.length >= depth) {
        finish({
          error: new MeshError('resource-exhausted', `More than ${depth} ${what} are waiting; read them faster`),
        });
        return false;
      }
      items.push(item);
      signal();
      return true;
    },
    end: () => finish(),
    fail: (error) => finish({ error }),
    async *iterate(onReturn) {
      try {
        for (;;) {
          const item = items.shift();
          if (item !== undefined) yield item;
          else if (!ended) {
            wake ??= deferred<void>();
            await wake.promise;
          } else if (failure) throw failure.error;
          else return;
        }
      } finally {
        finish();
        onReturn?.();
      }
    },
  };
}
