import {
  type ChannelOptions,
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { onTestFinished } from 'vitest';
import { shippedProtos } from '../../src/messages/proto-directory.js';

const options = { keepCase: true, longs: Number, enums: String, defaults: true };
const eventProtos = loadSync('farm_ng/core/event_service.proto', { ...options, includeDirs: [shippedProtos()] });
const healthProtos = loadSync(healthProto, options);

export interface PlainReply {
  readonly event: {
    readonly uri: {
      readonly scheme: string;
      readonly authority: string;
      readonly path: string;
      readonly query: string;
    };
    readonly timestamps: { readonly clock_name: string; readonly semantics: string }[];
    readonly sequence: number;
    readonly payload_length: number;
  };
  readonly payload: Buffer;
}

type Unary = (request: object, done: (error: ServiceError | null, reply: never) => void) => void;

/** A client of grpc-js and proto-loader alone, which knows nothing of furrow. Closed when the test ends. */
export function plainClient(port: number, options: ChannelOptions = {}): PlainClient {
  // biome-ignore lint/suspicious/noExplicitAny: what proto-loader makes has no static types.
  const loaded = loadPackageDefinition({ ...eventProtos, ...healthProtos }) as any;
  const make = (Service: new (...args: unknown[]) => Client) =>
    new Service(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  const plain = new PlainClient(make(loaded.farm_ng.core.proto.EventService), make(loaded.grpc.health.v1.Health));
  onTestFinished(() => plain.close());
  return plain;
}

export class PlainClient {
  private readonly events: Client;
  private readonly health: Client;

  constructor(events: Client, health: Client) {
    this.events = events;
    this.health = health;
  }

  /** Does not read until somebody listens to `data`. */
  subscribe(
    uri: object,
    { everyN = 0, metadata = new Metadata() }: { everyN?: number; metadata?: Metadata } = {},
  ): ClientReadableStream<PlainReply> {
    const method = (
      this.events as never as { subscribe: (request: object, metadata: Metadata) => ClientReadableStream<PlainReply> }
    ).subscribe;
    const call = method.call(this.events, { uri, every_n: everyN }, metadata);
    // Ends by cancelling at the latest, which grpc-js reports as an error.
    call.on('error', () => undefined);
    return call;
  }

  request(uri: object, payload = Buffer.alloc(0), payloadLength = payload.length): Promise<PlainReply> {
    const event = { uri, payload_length: payloadLength, sequence: 7 };
    return this.unary(this.events, 'requestReply', { event, payload });
  }

  requestWithoutEvent(): Promise<PlainReply> {
    return this.unary(this.events, 'requestReply', { payload: Buffer.from('x') });
  }

  listUris(): Promise<{ uris: { path: string; query: string }[] }> {
    return this.unary(this.events, 'listUris', {});
  }

  check(service = ''): Promise<{ status: string }> {
    return this.unary(this.health, 'Check', { service });
  }

  watch(service = ''): ClientReadableStream<{ status: string }> {
    const call = (
      this.health as never as { Watch: (request: object) => ClientReadableStream<{ status: string }> }
    ).Watch({ service });
    call.on('error', () => undefined);
    return call;
  }

  close(): void {
    this.events.close();
    this.health.close();
  }

  private unary<Reply>(client: Client, method: string, request: object): Promise<Reply> {
    const call = (client as never as Record<string, Unary>)[method]!;
    return new Promise((resolve, reject) => {
      call.call(client, request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
    });
  }
}

/** Resolves when the server has answered a call with headers: the subscription stands. */
export function answered(call: ClientReadableStream<unknown>): Promise<Metadata> {
  return new Promise((resolve, reject) => {
    call.once('metadata', resolve);
    call.once('error', reject);
  });
}

/** How a call that is read to its end ends. */
export function statusOf(call: ClientReadableStream<unknown>): Promise<{ code: number; details: string }> {
  return new Promise((resolve) => call.once('status', resolve));
}
