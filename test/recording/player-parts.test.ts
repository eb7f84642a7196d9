import fc from 'fast-check';
import { expect, test } from 'vitest';
import { statusLine } from '../../src/cli/play/playback-line.js';
import { Lateness } from '../../src/recording/player/lateness.js';
import { playbackTimer } from '../../src/recording/player/playback-timer.js';
import type { PlayerStatus } from '../../src/recording/player/player-status.js';
import { Schedule } from '../../src/recording/player/schedule.js';

test('a quantile of lateness is right to 5 %, however many events there were', () => {
  const seconds = fc.double({ min: 1e-6, max: 3600, noNaN: true });
  fc.assert(
    fc.property(fc.array(seconds, { minLength: 1, maxLength: 300 }), fc.double({ min: 0, max: 1 }), (all, share) => {
      fc.pre(!Number.isNaN(share));
      const lateness = new Lateness();
      for (const one of all) lateness.add(one);
      const sorted = [...all].sort((one, other) => one - other);
      const exactMs = sorted[Math.max(0, Math.ceil(share * all.length) - 1)]! * 1000;
      const quantileMs = lateness.quantileMs(share)!;
      expect(quantileMs).toBeGreaterThanOrEqual(share === 0 ? 0 : exactMs * 0.9999);
      expect(share === 0 ? 0 : quantileMs).toBeLessThanOrEqual(exactMs * 1.0501);
    }),
  );
  expect(new Lateness().quantileMs(0.5)).toBeUndefined();
});

test('a schedule never goes back by itself, whatever is done to it', () => {
  const act = fc.record({
    what: fc.constantFrom('run', 'halt', 'rate', 'postpone'),
    after: fc.double({ min: 0, max: 10, noNaN: true }),
    by: fc.constantFrom(0, 0.25, 1, 8),
  });
  fc.assert(
    fc.property(fc.array(act), (acts) => {
      let nowS = 50;
      const schedule = new Schedule(() => nowS, { positionS: 3, rate: 1 });
      let positionS = 3;
      for (const { what, after, by } of acts) {
        nowS += after;
        expect(schedule.positionS).toBeGreaterThanOrEqual(positionS - 1e-9);
        if (what === 'run') schedule.run();
        else if (what === 'halt') schedule.halt();
        else if (what === 'rate') schedule.setRate(by);
        // Only as late as it is: no further back than to where the last event stood.
        else if (schedule.rate > 0) schedule.postpone(Math.min(by, (schedule.positionS - positionS) / schedule.rate));
        positionS = Math.max(positionS, what === 'postpone' ? positionS : schedule.positionS);
        if (schedule.rate > 0 && what === 'run') expect(schedule.dueS(schedule.positionS)).toBeCloseTo(nowS, 6);
      }
    }),
  );
});

test('the timer is never early, and lets go when it is told to', async () => {
  const timer = playbackTimer();
  const never = new AbortController();
  for (const waitS of [0.0001, 0.001, 0.004]) {
    const atS = timer.nowS() + waitS;
    await timer.waitUntil(atS, never.signal);
    expect(timer.nowS()).toBeGreaterThanOrEqual(atS);
  }
  const told = new AbortController();
  const waiting = timer.waitUntil(timer.nowS() + 3600, told.signal);
  told.abort();
  await waiting;
  await timer.waitUntil(timer.nowS() - 1, never.signal);
});

test('the line at the terminal shows where playing stands', () => {
  const status: PlayerStatus = {
    state: 'playing',
    positionS: 62.35,
    startS: 0,
    endS: 124.7,
    rate: 2,
    loops: 0,
    events: 1234,
    skipped: 0,
    lateS: 0,
    lateP50Ms: 0.4,
    lateP99Ms: 1,
    subscribers: 1,
    ignoredRequests: 0,
  };
  expect(statusLine(status)).toBe('playing  01:02.3 ████████████░░░░░░░░░░░░ 02:04.7  ×2  1234 events  1 subscriber');
  expect(statusLine({ ...status, state: 'paused', rate: 0, positionS: 7261, endS: 7261, loops: 1, lateS: 0.5 })).toBe(
    'paused  2:01:01.0 ████████████████████████ 2:01:01.0  max  1234 events  1 subscriber  loop 2  slowed by 500 ms',
  );
});
