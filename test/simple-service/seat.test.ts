import { MeshError } from 'furrow';
import type { TerminationReason } from 'furrow/golem';
import { Subject } from 'rxjs';
import { expect, it, onTestFinished } from 'vitest';
import type { GolemPlace, NoPlace } from '../../services/simple-service/golem-place.js';
import { Seat } from '../../services/simple-service/seat.js';
import { until } from '../process.js';

const here = (id: string): GolemPlace => ({ id, yagna: {}, stateDir: '/nowhere' });
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A seat whose deployments last until they are told to end, or `fail` ends them. */
function sit(redeploys = true) {
  const place$ = new Subject<GolemPlace | NoPlace>();
  const told: string[] = [];
  const stop = new AbortController();
  let fail: (reason: TerminationReason) => void = () => undefined;
  let deployments = 0;
  const seat = new Seat({
    place$,
    redeploys,
    pauseMs: 1,
    logger: quiet,
    signal: stop.signal,
    onIdle: (state, reason) => told.push(`${state}: ${reason}`),
    deploy: ({ id }, signal) => {
      deployments += 1;
      told.push(`deployed at ${id}`);
      return new Promise((resolve) => {
        fail = resolve;
        signal.addEventListener('abort', () => {
          told.push(`ended at ${id}`);
          resolve(undefined);
        });
      });
    },
  });
  const running = seat.run();
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return { seat, place$, told, fail: (reason: TerminationReason) => fail(reason), count: () => deployments };
}

it('deploys where the daemon is, and anew when that was started again', async () => {
  const { place$, told, count } = sit();
  place$.next({ away: 'it is away' });
  place$.next(here('first'));
  await until('a deployment', () => count() === 1);
  // A link that breaks for a moment ends nothing.
  place$.next({ away: 'it is away' });
  place$.next(here('first'));
  place$.next(here('second'));
  await until('another', () => count() === 2);
  expect(told).toEqual([
    'pending: looking for the Golem daemon',
    'deployed at first',
    'ended at first',
    'deployed at second',
  ]);
});

it('stops until it is told to restart', async () => {
  const { seat, place$, told, count } = sit();
  place$.next(here('first'));
  await until('a deployment', () => count() === 1);
  await seat.stop();
  await until('it to be idle', () => told.at(-1)!.startsWith('terminated: '));
  place$.next(here('second'));
  await seat.restart();
  await until('another', () => count() === 2);
  expect(told.at(-1)).toBe('deployed at second');
});

it('deploys again after a failure, unless that would fail the same way everywhere, or it may not', async () => {
  const lost: TerminationReason = { kind: 'unresponsive', message: 'nobody answers' };
  const again = sit();
  again.place$.next(here('first'));
  await until('a deployment', () => again.count() === 1);
  again.fail(lost);
  await until('another', () => again.count() === 2);

  const wrong = new MeshError('invalid-argument', 'the image is wrong');
  again.fail({ kind: 'start-failed', message: wrong.message, error: wrong });
  await until('it to give up', () => again.told.at(-1) === 'terminated: the image is wrong; /restart deploys it again');

  const once = sit(false);
  once.place$.next(here('first'));
  await until('a deployment', () => once.count() === 1);
  once.fail(lost);
  await until('it to give up', () => once.told.at(-1)!.startsWith('terminated: '));
  expect(once.count()).toBe(1);
});
