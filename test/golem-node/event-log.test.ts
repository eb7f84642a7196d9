import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, parseAmount, priceOf, toAmount } from '../../services/golem-node/amount.js';
import { EventLog } from '../../services/golem-node/event-log.js';
import { microsecondsOf, Stamps } from '../../services/golem-node/stamps.js';

describe('stamps', () => {
  it('strictly increase, however fast they are taken', () => {
    const stamps = new Stamps();
    const taken = Array.from({ length: 5000 }, () => stamps.next());
    expect(new Set(taken).size).toBe(taken.length);
    expect([...taken].sort()).toEqual(taken);
  });

  it('are read at any precision, with any zone', () => {
    expect(microsecondsOf('2026-01-02T03:04:05Z')).toBe(1767323045000000n);
    expect(microsecondsOf('2026-01-02T03:04:05.123456789Z')).toBe(1767323045123456n);
    expect(microsecondsOf('2026-01-02T05:04:05.1+02:00')).toBe(1767323045100000n);
    expect(microsecondsOf('yesterday')).toBeUndefined();
  });
});

describe('event log', () => {
  const query = { maxEvents: 100, timeoutMs: 5000 };

  it('gives each event once to who asks for what came after the last one', async () => {
    const log = new EventLog(new Stamps());
    for (let n = 0; n < 250; n += 1) log.append('session', { n });
    const seen: number[] = [];
    let after: string | undefined;
    while (seen.length < 250) {
      const page = (await log.collect({ ...query, after })) as { n: number; eventDate: string }[];
      expect(page.length).toBeLessThanOrEqual(100);
      seen.push(...page.map(({ n }) => n));
      after = page.at(-1)!.eventDate;
    }
    expect(seen).toEqual(Array.from({ length: 250 }, (_, n) => n));
  });

  it('keeps sessions apart, and waits for the first event', async () => {
    const log = new EventLog(new Stamps());
    const waiting = log.collect({ ...query, session: 'mine' });
    log.append('other', { n: 1 });
    log.append('mine', { n: 2 });
    expect(await waiting).toMatchObject([{ n: 2 }]);
    expect(await log.collect({ ...query, session: 'third', timeoutMs: 0 })).toEqual([]);
  });

  it('stops to wait when the client is gone', async () => {
    const log = new EventLog(new Stamps());
    const client = new AbortController();
    const waiting = log.collect({ ...query, timeoutMs: 1e6, signal: client.signal });
    client.abort();
    expect(await waiting).toEqual([]);
  });
});

describe('amounts', () => {
  it('survive being written and read', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (n) => parseAmount(formatAmount(n)) === n));
  });

  it('reads decimals only', () => {
    expect(parseAmount('1.25')).toBe(1250000000000000000n);
    expect(parseAmount('1e-3')).toBe(10n ** 15n);
    expect(parseAmount('12.5e-3')).toBe(parseAmount('0.0125'));
    expect(parseAmount('2.5e+3')).toBe(parseAmount('2500'));
    for (const text of ['', '-1', 'x', '1,5', 'NaN', '1e999', 'Infinity']) expect(parseAmount(text)).toBeUndefined();
  });

  it('adds what doubles would not', () => {
    expect(formatAmount(toAmount(0.1) + toAmount(0.2))).toBe('0.3');
    expect(formatAmount(priceOf(0.5, 2500))).toBe('1.25');
  });
});
