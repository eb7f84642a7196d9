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
function sit({ redeploys = true, pauseMs = 1 } = {}) {
  const place$ = new Subject<GolemPlace | NoPlace>();
  const told: string[] = [];
  const forgotten: string[] = [];
  const stop = new AbortController();
  let fail: (reason: TerminationReason) => void = () => undefined;
  let deployments = 0;
  const seat = new Seat({
    place$,
    redeploys,
    pauseMs,
    logger: quiet,
    signal: stop.signal,
    onIdle: (state, reason) => told.push(`${state}: ${reason}`),
    deploy: ({ id, yagna: { gone } }, signal) => {
      deployments += 1;
      gone?.addEventListener('abort', () => void forgotten.push(id));
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
  return { seat, place$, told, forgotten, fail: (reason: TerminationReason) => fail(reason), count: () => deployments };
}

it('deploys where the daemon is, and anew when that was started again', async () => {
  const { place$, told, forgotten, count } = sit();
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
  // What the former daemon held is not to be closed in order: it is not there any more.
  await until('the former to be gone', () => forgotten.includes('first'));
  expect(forgotten).toEqual(['first']);
});

it('waits after a failure, but not once it is told to restart or to stop, or the daemon is another', async () => {
  const lost: TerminationReason = { kind: 'unresponsive', message: 'nobody answers' };
  const { seat, place$, told, fail, count } = sit({ pauseMs: 600_000 });
  place$.next(here('first'));
  await until('a deployment', () => count() === 1);
  fail(lost);
  // It rests once its failure is through.
  await seat.restart();
  await until('another', () => count() === 2);
  fail(lost);
  await new Promise(setImmediate);
  place$.next(here('second'));
  await until('one at the other daemon', () => count() === 3);
  fail(lost);
  await new Promise(setImmediate);
  await seat.stop();
  await until('it to be idle', () => told.at(-1) === 'terminated: it was told to stop; /restart deploys it again');
  expect(count()).toBe(3);
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

  const once = sit({ redeploys: false });
  once.place$.next(here('first'));
  await until('a deployment', () => once.count() === 1);
  once.fail(lost);
  await until('it to give up', () => once.told.at(-1)!.startsWith('terminated: '));
  expect(once.count()).toBe(1);
});
