const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** A package manager passes on the Ctrl-C that its child got from the terminal already: that is not a second one. */
const echoMs = 300;

/** Two wishes of the user. */
export interface StopRequest {
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP; the reason is its name. */
  readonly first: AbortSignal;
  /** Aborts at the next one, but not at one that comes with the first. */
  readonly second: AbortSignal;
}

/** Takes these signals for as long as the process lives. One more than two ends it at once. */
export function stopRequest(): StopRequest {
  const first = new AbortController();
  const second = new AbortController();
  let firstMs = 0;
  const onSignal = (name: keyof typeof signals): void => {
    if (second.signal.aborted) process.exit(128 + signals[name]);
    if (!first.signal.aborted) {
      firstMs = performance.now();
      first.abort(name);
    } else if (performance.now() - firstMs > echoMs) {
      second.abort(name);
    }
  };
  for (const name of Object.keys(signals) as (keyof typeof signals)[]) process.on(name, () => onSignal(name));
  return { first: first.signal, second: second.signal };
}
