import { from, Observable, type ObservableInput, type OperatorFunction } from 'rxjs';

export interface LatestMapOptions<T> {
  /** Called for each value that a newer one replaced before its turn, with how many there have been. */
  readonly onSkipped?: (value: T, skipped: number) => void;
}

/**
 * Maps values by slow work, one at a time, and never falls behind: while work is under way only the newest value
 * waits, and older ones are skipped (see `onSkipped`). When the source completes, what waits is still done.
 * An error of the source or of the work ends the stream at once.
 *
 * @param project The work: a promise, or anything else that RxJS takes as an Observable. `signal` aborts when nobody
 * waits for its result any more.
 *
 * @example
 * camera$.pipe(latestMap((image, signal) => detect(image, { signal }))).subscribe(show);
 */
export function latestMap<T, R>(
  project: (value: T, signal: AbortSignal) => ObservableInput<R>,
  options: LatestMapOptions<T> = {},
): OperatorFunction<T, R> {
  return (source) =>
    new Observable((subscriber) => {
      let waiting: { value: T } | undefined;
      // Of the work under way.
      let abort: AbortController | undefined;
      let completed = false;
      let skipped = 0;

      /** Takes up what waits, or ends the stream when nothing will come any more. */
      const proceed = (): void => {
        if (abort !== undefined) return;
        if (waiting !== undefined) {
          const { value } = waiting;
          waiting = undefined;
          start(value);
        } else if (completed) subscriber.complete();
      };

      const start = (value: T): void => {
        abort = new AbortController();
        subscriber.add(
          from(project(value, abort.signal)).subscribe({
            next: (result) => subscriber.next(result),
            error: (error) => subscriber.error(error),
            complete: () => {
              abort = undefined;
              guarded(proceed);
            },
          }),
        );
      };

      const guarded = (step: () => void): void => {
        try {
          step();
        } catch (error) {
          subscriber.error(error);
        }
      };

      subscriber.add(() => abort?.abort());
      subscriber.add(
        source.subscribe({
          next: (value) =>
            guarded(() => {
              const replaced = waiting;
              waiting = { value };
              if (replaced !== undefined) options.onSkipped?.(replaced.value, ++skipped);
              proceed();
            }),
          error: (error) => subscriber.error(error),
          complete: () => {
            completed = true;
            proceed();
          },
        }),
      );
    });
}
