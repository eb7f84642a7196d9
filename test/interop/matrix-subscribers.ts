import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import type { QualityOfService } from 'furrow';
import { onTestFinished } from 'vitest';
import { subscriptionQuery } from '../../src/mesh/quality.js';
import { joinEnvelope } from '../../src/messages/envelope.js';
import { methodPaths } from '../../src/wire/methods.js';
import { clientAt } from '../mesh/running.js';
import { ca } from '../tls/files.js';
import type { SeenMessage } from './peer-lines.js';
import type { PeerProcess } from './peer-process.js';
import { eventServiceDefinition } from './plain-grpc.js';

export const subscriberKinds = ['furrow', 'grpc-js', 'Python'] as const;
export type SubscriberKind = (typeof subscriberKinds)[number];

export interface Asked {
  readonly path: string;
  /** Default: `block` with room for everything. */
  readonly quality?: Partial<QualityOfService>;
  readonly everyN?: number;
  /** Through TLS. Default false. */
  readonly secure?: boolean;
  /** Read one message at most, and no more before `resume`. Default false. */
  readonly paused?: boolean;
}

/** A subscription of one of the three kinds: what came, byte by byte, and how it ended. */
export interface Subscription {
  readonly kind: SubscriberKind;
  readonly came: readonly SeenMessage[];
  /** gRPC's status by name; of a furrow client, that it lost its service, and why. */
  readonly ended: Promise<{ readonly code: string; readonly details: string }>;
  pause(): void;
  resume(): void;
}

/** Stops a reader between two messages. */
class Gate {
  private shut: Promise<void> | undefined;
  private release: () => void = () => undefined;

  constructor(closed: boolean) {
    if (closed) this.close();
  }

  close(): void {
    this.shut ??= new Promise((resolve) => {
      this.release = resolve;
    });
  }

  open(): void {
    this.shut = undefined;
    this.release();
  }

  async pass(): Promise<void> {
    while (this.shut !== undefined) await this.shut;
  }
}

/** A message as SubscribeReply's own codec of proto-loader reads it. */
export function seen(envelope: Buffer): SeenMessage {
  const { event } = eventServiceDefinition.subscribe!.responseDeserialize(envelope) as {
    event: { uri: { path: string }; sequence: string };
  };
  const digest = createHash('sha256').update(envelope).digest('hex');
  return { path: event.uri.path, sequence: Number(event.sequence), digest };
}

/** Subscribes to service `agent-1` of a port; ends with the test. `python` is needed for the kind of that name. */
export function subscribe(kind: SubscriberKind, port: number, asked: Asked, python?: PeerProcess): Subscription {
  const quality = asked.quality ?? { overflow: 'block', depth: 10_000, blockMs: 9000 };
  if (kind === 'furrow') return ofFurrow(port, asked, quality);
  const query = subscriptionQuery('agent-1', quality);
  return kind === 'grpc-js' ? ofGrpcJs(port, asked, query) : ofPython(port, asked, query, python!);
}

function ofFurrow(port: number, asked: Asked, quality: Partial<QualityOfService>): Subscription {
  const { path, everyN = 0, secure = false, paused = false } = asked;
  const client = clientAt(port, {}, secure ? { tls: { ca } } : {});
  const came: SeenMessage[] = [];
  const gate = new Gate(paused);
  const read = async (): Promise<void> => {
    for await (const event of client.events({ path, everyN, ...quality })) {
      came.push(seen(joinEnvelope(event.eventBytes, event.payload)));
      await gate.pass();
    }
  };
  read().catch(() => undefined);
  const ended = new Promise<{ code: string; details: string }>((resolve) => {
    client.state$.subscribe(({ status, reason }) => {
      if (status === 'away') resolve({ code: 'UNAVAILABLE', details: reason! });
    });
  });
  return { kind: 'furrow', came, ended, pause: () => gate.close(), resume: () => gate.open() };
}

function ofGrpcJs(port: number, asked: Asked, query: string): Subscription {
  const { path, everyN = 0, secure = false, paused = false } = asked;
  const credentials = secure ? grpc.credentials.createSsl(readFileSync(ca)) : grpc.credentials.createInsecure();
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials, { 'grpc.use_local_subchannel_pool': 1 });
  onTestFinished(() => client.close());
  const { requestSerialize } = eventServiceDefinition.subscribe!;
  const call = client.makeServerStreamRequest(methodPaths.subscribe, requestSerialize, (bytes: Buffer) => bytes, {
    uri: { path, query },
    everyN,
  });
  onTestFinished(() => call.cancel());
  const came: SeenMessage[] = [];
  const gate = new Gate(paused);
  const read = async (): Promise<void> => {
    for await (const envelope of call) {
      came.push(seen(envelope as Buffer));
      await gate.pass();
    }
  };
  read().catch(() => undefined);
  const ended = new Promise<{ code: string; details: string }>((resolve) => {
    call.once('status', ({ code, details }) => resolve({ code: grpc.status[code]!, details }));
  });
  return { kind: 'grpc-js', came, ended, pause: () => gate.close(), resume: () => gate.open() };
}

function ofPython(port: number, asked: Asked, query: string, python: PeerProcess): Subscription {
  const { path, everyN = 0, secure = false, paused = false } = asked;
  const id = randomUUID();
  const tls = secure ? { ca } : {};
  python.send({ do: 'subscribe', id, address: `127.0.0.1:${port}`, path, query, everyN, paused, ...tls });
  onTestFinished(() => python.send({ do: 'cancel', id }));
  const came: SeenMessage[] = [];
  const long = { timeoutMs: 60_000 };
  const read = async (): Promise<void> => {
    while (true) came.push((await python.next('came', (line) => line.id === id, long)).message);
  };
  read().catch(() => undefined);
  const ended = python.next('over', (line) => line.id === id, long);
  ended.catch(() => undefined);
  return {
    kind: 'Python',
    came,
    ended,
    pause: () => python.send({ do: 'pause', id }),
    resume: () => python.send({ do: 'resume', id }),
  };
}
