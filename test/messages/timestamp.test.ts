import { expect, test } from 'vitest';
import { findStamp, secondsBetween, stampsNow, type Timestamp } from '../../src/messages/timestamp.js';

const stamp = (semantics: string, clockName: string, seconds: number): Timestamp => ({
  stamp: seconds,
  clockName,
  semantics,
});

test('sending adds a monotonic and a system stamp', () => {
  const clock = {
    host: 'here',
    monotonicName: 'here/monotonic',
    systemName: 'here/system_clock/CET',
    monotonic: () => 5.5,
    system: () => 1.7e9,
  };
  expect(stampsNow(clock, 'service/send')).toEqual([
    stamp('service/send', 'here/monotonic', 5.5),
    stamp('service/send', 'here/system_clock/CET', 1.7e9),
  ]);
});

test('stamps are found by semantics and clock, wherever they stand', () => {
  const stamps = [
    stamp('device/sample', 'cam/monotonic', 1),
    stamp('service/send', 'here/system_clock/UTC', 2),
    stamp('service/send', 'here/monotonic', 3),
  ];
  expect(findStamp(stamps, 'service/send')?.stamp).toBe(2);
  expect(findStamp(stamps, 'service/send', '/monotonic')?.stamp).toBe(3);
  expect(findStamp(stamps, 'service/send', 'cam/monotonic')).toBeUndefined();
  expect(findStamp(stamps, 'file/write')).toBeUndefined();
});

test('only stamps of one clock are subtracted', () => {
  const sent = stamp('service/send', 'robot/monotonic', 10);
  const seconds = (...stamps: Timestamp[]) => secondsBetween(stamps, 'service/send', 'client/receive');
  expect(seconds(sent, stamp('client/receive', 'laptop/monotonic', 90))).toBeUndefined();
  expect(seconds(sent)).toBeUndefined();
  expect(seconds()).toBeUndefined();
  expect(seconds(stamp('client/receive', 'robot/monotonic', 12), sent)).toBe(2);
});

test('the monotonic clock is preferred, a shared system clock will do', () => {
  const system = [
    stamp('service/send', 'host/system_clock/UTC', 1000),
    stamp('client/receive', 'host/system_clock/UTC', 900),
  ];
  const monotonic = [stamp('service/send', 'host/monotonic', 1), stamp('client/receive', 'host/monotonic', 1.5)];
  expect(secondsBetween([...system, ...monotonic], 'service/send', 'client/receive')).toBe(0.5);
  expect(secondsBetween(system, 'service/send', 'client/receive')).toBe(-100);
});
