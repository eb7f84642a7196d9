import { readFileSync } from 'node:fs';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { structMessage, type Workload } from '../workload.js';
import type { PublisherEnd, SubscriberEnd, Take } from './types.js';

const subject = 'bench';
const progressSubject = 'bench.progress';
const requestSubject = 'bench.echo';
// What farm-ng's envelope around a payload of 40 bytes takes, less NATS's own protocol line.
const envelopeBytes = 200;

// Sequence and stamp stand at the front, each a double.
const headBytes = 16;
// NATS has no way to hold a publisher, and throws out a subscriber that falls 64 MB behind: so the subscriber tells
// how far it is, and the publisher stays within a window.
function windowFor({ subscribers, payloadBytes }: Workload): number {
  const byBytes = 32_000_000 / (subscribers * (payloadBytes + envelopeBytes));
  return Math.max(16, Math.floor(Math.min(Math.max(64, 16_384 / subscribers), byBytes)));
}

async function open({ tls }: Workload, port: number): Promise<NatsConnection> {
  return connect({
    // A certificate names hosts.
    servers: `${tls === undefined ? '127.0.0.1' : 'localhost'}:${port}`,
    resolve: false,
    reconnect: false,
    ...(tls === undefined ? {} : { tls: { ca: readFileSync(tls.ca, 'utf8') } }),
  });
}

/** A publisher at a NATS server, whose port is `port`. */
export async function openPublisher(workload: Workload, port: number): Promise<PublisherEnd> {
  const connection = await open(workload, port);
  connection.subscribe(requestSubject, {
    callback: (_error, message) => {
      message.respond(message.data);
    },
  });
  const window = windowFor(workload);
  let last = -1;
  let read = -1;
  let wake: (() => void) | undefined;
  connection.subscribe(progressSubject, {
    callback: (_error, message) => {
      read = message.json<number>();
      wake?.();
      wake = undefined;
    },
  });
  await connection.flush();
  const size = headBytes + Math.max(0, workload.payloadBytes + envelopeBytes - headBytes);
  // What is within the window may still lie in the client's buffers, so each of its events has bytes of its own.
  const slots = Array.from({ length: window + 1 }, () => Buffer.alloc(Math.min(size, 1024 * 1024), 0x5a));
  const next = (stampMs: number): Uint8Array | string => {
    if (workload.message === 'struct') return JSON.stringify({ sequence: last, ...structMessage });
    const bytes = slots[last % slots.length]!;
    bytes.writeDoubleLE(last, 0);
    bytes.writeDoubleLE(stampMs, 8);
    return bytes;
  };
  return {
    port,
    get last() {
      return last;
    },
    // The subscriber has flushed: the server knows its subscriptions.
    subscribed: async () => undefined,
    publish(stampMs) {
      last += 1;
      connection.publish(subject, next(stampMs));
      if (workload.dropping) return undefined;
      if (last - read >= window) {
        return new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      // Acknowledgements come in only when the loop is let go.
      return last % 256 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
    },
    close: () => connection.close(),
  };
}

export async function openSubscriber(workload: Workload, port: number): Promise<SubscriberEnd> {
  const connection = await open(workload, port);
  const every = Math.max(1, Math.floor(windowFor(workload) / 8));
  const request = Buffer.alloc(envelopeBytes + 40, 0x5a);
  return {
    async subscribe(count, take, { stalled }) {
      for (let index = 0; index < count; index++) {
        const look = looker(workload, index, take);
        // The server hands a message to the subscriptions of a connection in turn: the last one has been through all.
        const tells = index === count - 1;
        const handle = (message: Msg): void => {
          const sequence = look(message);
          if (tells && sequence % every === 0) connection.publish(progressSubject, JSON.stringify(sequence));
        };
        if (stalled || workload.style === 'iterator') read(connection, handle, stalled).catch(() => undefined);
        else connection.subscribe(subject, { callback: (_error, message) => handle(message) });
      }
      await connection.flush();
    },
    request: () => connection.request(requestSubject, request, { timeout: 10_000 }),
    close: () => connection.close(),
  };
}

async function read(connection: NatsConnection, handle: (message: Msg) => void, stalled: boolean): Promise<void> {
  for await (const message of connection.subscribe(subject)) {
    handle(message);
    if (stalled) await new Promise(() => undefined);
  }
}

function looker({ look }: Workload, index: number, take: Take): (message: Msg) => number {
  if (look === 'struct') {
    return (message) => {
      const value = message.json<{ sequence: number; sample: number }>();
      if (value.sample !== structMessage.sample) throw new Error('another message');
      take(index, value.sequence, 0);
      return value.sequence;
    };
  }
  return ({ data }) => {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const sequence = view.getFloat64(0, true);
    take(index, sequence, look === 'stamp' ? view.getFloat64(8, true) : 0);
    return sequence;
  };
}
