import { describe, expect, it } from 'vitest';
import { Desk, type Steps } from '../../services/simple-service/desk.js';

// biome-ignore lint/correctness/useYield: steps need not run a script.
async function* nothing(): Steps<string> {
  return 'done';
}

describe('the desk', () => {
  it('refuses while nobody works there, and fails what waits when it closes', async () => {
    const desk = new Desk<object>();
    await expect(desk.ask(nothing)).rejects.toMatchObject({ code: 'unavailable' });
    desk.open();
    const waiting = desk.ask(nothing);
    desk.close();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    expect(desk.take()).toBeUndefined();
  });

  it('hands jobs on in order, 64 at most', async () => {
    const desk = new Desk<object>();
    desk.open();
    const asked = Array.from({ length: 64 }, () => desk.ask(nothing));
    await expect(desk.ask(nothing)).rejects.toMatchObject({ code: 'resource-exhausted' });
    for (const [index] of asked.entries()) desk.take()?.resolve(index);
    expect(await Promise.all(asked)).toEqual(asked.map((_, index) => index));
  });

  it('wakes whoever waits: by a job, by a call, by the signal', async () => {
    const desk = new Desk<object>();
    desk.open();
    const { signal } = new AbortController();
    const byJob = desk.wait(60_000, signal);
    const job = desk.ask(nothing);
    await byJob;
    desk.take()?.resolve('done');
    expect(await job).toBe('done');
    const byCall = desk.wait(60_000, signal);
    desk.wake();
    await byCall;
    const stop = new AbortController();
    const bySignal = desk.wait(60_000, stop.signal);
    stop.abort();
    await bySignal;
  });
});
