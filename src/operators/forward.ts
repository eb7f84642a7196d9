import type { Observable, Subscriber } from 'rxjs';

/**
 * Subscribes to a source on behalf of `subscriber`, which gets its error and its end. What `next` throws, be it a
 * callback's error or an event that does not decode, becomes the stream's error; it would end the process otherwise.
 */
export function forward<T, R>(source: Observable<T>, subscriber: Subscriber<R>, next: (value: T) => void): void {
  subscriber.add(
    source.subscribe({
      next: (value) => {
        try {
          next(value);
        } catch (error) {
          subscriber.error(error);
        }
      },
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
    }),
  );
}
