import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import type { EventService, EventServiceOptions } from 'furrow';
import { onTestFinished } from 'vitest';
import { joinEnvelope } from '../../src/messages/envelope.js';
import { bytes, published, serve, until } from '../mesh/running.js';
import { ca, localhostTls } from '../tls/files.js';
import { seen } from './matrix-subscribers.js';
import type { SeenMessage } from './peer-lines.js';
import type { PeerProcess } from './peer-process.js';
import { eventServiceDefinition, plainServer } from './plain-grpc.js';

export const publisherKinds = ['furrow', 'furrow, public way', 'grpc-js', 'Python'] as const;
export type PublisherKind = (typeof publisherKinds)[number];

/** A service `agent-1` that publishes BytesValue on any path, and what it sent. It ends with the test. */
export interface Publisher {
  readonly port: number;
  readonly sent: readonly SeenMessage[];
  /** Events that may be published before those subscribed have read them. */
  readonly burst: number;
  /** Resolves when so many subscriptions are in place. */
  subscribed(count: number): Promise<void>;
  publish(path: string, value: Buffer): Promise<unknown>;
}

/** Starts a publisher; `python` is the running peer for the kind of that name, with its two ports. */
export async function publisherOf(
  kind: PublisherKind,
  { secure, python }: { readonly secure: boolean; readonly python: PythonPorts | undefined },
): Promise<Publisher> {
  if (kind === 'grpc-js') return ofGrpcJs(secure);
  if (kind === 'Python') return ofPython(python!, secure);
  const options = secure ? { tls: localhostTls } : {};
  const { service, sent } = await furrowPublisher({ publicWay: kind !== 'furrow', ...options });
  return {
    port: service.port,
    sent,
    burst: Number.POSITIVE_INFINITY,
    subscribed: (count) => until(() => service.subscriberCount === count),
    publish: (path, value) => service.publish(path, value, { type: bytes.type }),
  };
}

/** A furrow service whose paths carry BytesValue, and what it sends, noted while it publishes. */
export async function furrowPublisher(
  options: EventServiceOptions,
  paths = [published('/a', { type: bytes }), published('/b', { type: bytes })],
): Promise<{ service: EventService; sent: readonly SeenMessage[] }> {
  const service = await serve({ published: paths }, { health: false, ...options });
  const sent: SeenMessage[] = [];
  service.published$.subscribe(({ eventBytes, payload }) => sent.push(seen(joinEnvelope(eventBytes, payload))));
  return { service, sent };
}

type PlainCall = grpc.ServerWritableStream<{ uri: { path: string } }, object>;

async function ofGrpcJs(secure: boolean): Promise<Publisher> {
  const pair = { cert_chain: readFileSync(localhostTls.cert), private_key: readFileSync(localhostTls.key) };
  const credentials = secure
    ? grpc.ServerCredentials.createSsl(readFileSync(ca), [pair])
    : grpc.ServerCredentials.createInsecure();
  const calls: PlainCall[] = [];
  const { port, server } = await plainServer({ subscribe: (call: PlainCall) => calls.push(call) }, 0, credentials);
  onTestFinished(() => server.forceShutdown());
  const sent: SeenMessage[] = [];
  const { responseSerialize } = eventServiceDefinition.subscribe!;
  const sequences = new Map<string, number>();
  return {
    port,
    sent,
    burst: Number.POSITIVE_INFINITY,
    subscribed: (count) => until(() => calls.length === count),
    publish: async (path, value) => {
      const sequence = sequences.get(path) ?? 0;
      sequences.set(path, sequence + 1);
      const query = `type=${bytes.type}&pb=${bytes.pb}&service_name=agent-1`;
      const payload = bytesValue(value);
      const timestamps = [{ stamp: performance.now(), clockName: 'here/monotonic', semantics: 'service/send' }];
      const uri = { scheme: 'protobuf', authority: 'here', path, query };
      const reply = { event: { uri, timestamps, payloadLength: payload.length, sequence }, payload };
      sent.push(seen(responseSerialize(reply)));
      for (const call of calls) if (['*', path].includes(call.request.uri.path)) call.write(reply);
    },
  };
}

/** A BytesValue of 1 to 127 bytes or any other number. */
function bytesValue(value: Buffer): Buffer {
  if (value.length === 0) return value;
  const length: number[] = [];
  for (let rest = value.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), value]);
}

/** The Python peer, and where it serves. */
export interface PythonPorts {
  readonly peer: PeerProcess;
  readonly port: number;
  readonly tlsPort: number;
}

/** Lets the peer serve on both ports. */
export async function pythonServes(peer: PeerProcess): Promise<PythonPorts> {
  peer.send({ do: 'serve', ...localhostTls });
  const { port, tlsPort } = await peer.next('serving');
  return { peer, port, tlsPort };
}

function ofPython({ peer, port, tlsPort }: PythonPorts, secure: boolean): Publisher {
  const sent: SeenMessage[] = [];
  // Those of former tests.
  peer.taken('subscriber');
  return {
    port: secure ? tlsPort : port,
    sent,
    // Of farm-ng's queue of ten.
    burst: 8,
    subscribed: async (count) => {
      for (let one = 0; one < count; one++) await peer.next('subscriber', ({ change }) => change === 1);
    },
    publish: async (path, value) => {
      peer.send({ do: 'publish', path, value: value.toString('base64') });
      sent.push((await peer.next('sent')).message);
    },
  };
}
