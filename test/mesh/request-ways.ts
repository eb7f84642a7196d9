import type { EventClient } from 'furrow';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { Channel } from '../../src/wire/channel.js';
import { RequestLaneClient } from '../../src/wire/request-lane-client.js';
import { until } from './running.js';

/** How a client's requests may travel; a test that is run with both must not see a difference. */
export const requestWays = ['a call each', 'the request lane'] as const;
export type RequestWay = (typeof requestWays)[number];

/** Makes every request of the tests in this block take one way. */
export function takeWay(way: RequestWay): void {
  beforeEach(() => {
    if (way === 'the request lane') {
      const { unary } = Channel.prototype;
      vi.spyOn(Channel.prototype, 'unary').mockImplementation(async function (this: Channel, method, request, options) {
        if (method === 'requestReply') await openLane(this, unary);
        return unary.call(this, method, request, options);
      });
    } else {
      const asking = Channel.prototype as unknown as { askForLane(): void };
      vi.spyOn(asking, 'askForLane').mockImplementation(() => undefined);
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
}

/** Requests that went over lanes since this was called; a test must restore its mocks. */
export function laneRequests(): { readonly count: number } {
  const spy = vi.spyOn(RequestLaneClient.prototype, 'request');
  return {
    get count() {
      return spy.mock.calls.length;
    },
  };
}

/** The lane of a client's channel, as its tests look into it. */
export function laneOf(channel: Channel): { readonly state: string; readonly refused: boolean } | undefined {
  return Reflect.get(channel, 'lane');
}

/** Waits until the channel knows whether its server has a lane; a server that is away has none. */
async function openLane(channel: Channel, unary = Channel.prototype.unary): Promise<void> {
  const state = () => laneOf(channel)?.state;
  if (state() === 'open' || laneOf(channel)?.refused === true) return;
  // No request at all: refused, and not counted as one.
  await unary.call(channel, 'requestReply', new Uint8Array(0), { timeoutMs: 5000 }).catch(() => undefined);
  await until(() => state() !== 'asking');
}

/** That a client's next request goes over its lane. */
export async function withLane(client: EventClient): Promise<EventClient> {
  const channel = channelOf(client);
  await openLane(channel);
  expect(laneOf(channel)?.state).toBe('open');
  return client;
}

/** The channel of a client, as it is now. */
export function channelOf(client: EventClient): Channel {
  const connection = Reflect.get(client, 'connection') as object;
  return (Reflect.get(connection, 'open') as () => Channel).call(connection);
}
