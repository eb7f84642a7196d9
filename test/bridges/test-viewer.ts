import { type Channel, FoxgloveClient, type ServerInfo, type Service, type StatusMessage } from '@foxglove/ws-protocol';
import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../mesh/running.js';

/** One event as a viewer sees it. */
export interface Seen {
  readonly topic: string;
  readonly timeNs: bigint;
  /** Decoded by the schema that was advertised, as protobuf's JSON. */
  readonly message: Record<string, unknown>;
  readonly bytes: number;
}

export interface Answer {
  readonly encoding: string;
  readonly data: Buffer;
}

/** The official client of the protocol, and what it has seen. */
export class TestViewer {
  readonly client: FoxgloveClient;
  readonly socket: WebSocket;
  /** What is advertised now, by topic and by name. */
  readonly channels = new Map<string, Channel>();
  readonly services = new Map<string, Service>();
  readonly statuses: StatusMessage[] = [];
  readonly seen: Seen[] = [];
  readonly closes: { readonly code: number }[] = [];
  info: ServerInfo | undefined;
  private readonly topics = new Map<number, Channel>();
  private readonly decoders = new Map<string, protobuf.Type>();
  private readonly calls = new Map<number, (answer: Answer | Error) => void>();
  private nextCall = 0;

  constructor(url: string, protocols: readonly string[] = [FoxgloveClient.SUPPORTED_SUBPROTOCOL]) {
    this.socket = new WebSocket(url, [...protocols]);
    onTestFinished(() => this.socket.terminate());
    this.client = new FoxgloveClient({ ws: this.socket as never });
    const { client } = this;
    client.on('error', () => undefined);
    client.on('close', (event) => this.closes.push(event as unknown as { code: number }));
    client.on('serverInfo', (info) => {
      this.info = info;
    });
    client.on('advertise', (channels) => {
      for (const channel of channels) this.channels.set(channel.topic, channel);
    });
    client.on('unadvertise', (ids) => {
      for (const [topic, { id }] of this.channels) if (ids.includes(id)) this.channels.delete(topic);
    });
    client.on('advertiseServices', (services) => {
      for (const service of services) this.services.set(service.name, service);
    });
    client.on('unadvertiseServices', (ids) => {
      for (const [name, { id }] of this.services) if (ids.includes(id)) this.services.delete(name);
    });
    client.on('status', (status) => this.statuses.push(status));
    client.on('message', ({ subscriptionId, timestamp, data }) => {
      const channel = this.topics.get(subscriptionId)!;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const type = this.decoder(channel);
      const message = type.toObject(type.decode(bytes), { longs: String, enums: String });
      this.seen.push({ topic: channel.topic, timeNs: timestamp, message, bytes: data.byteLength });
    });
    client.on('serviceCallResponse', ({ callId, encoding, data }) =>
      this.calls.get(callId)?.({ encoding, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) }),
    );
    client.on('serviceCallFailure', ({ callId, message }) => this.calls.get(callId)?.(new Error(message)));
  }

  static async connect(url: string, protocols?: readonly string[]): Promise<TestViewer> {
    const viewer = new TestViewer(url, protocols);
    await until(() => viewer.info !== undefined || viewer.closes.length > 0);
    return viewer;
  }

  /** Subscribes as soon as the topic is advertised. */
  async subscribe(topic: string): Promise<number> {
    await until(() => this.channels.has(topic));
    const channel = this.channels.get(topic)!;
    const id = this.client.subscribe(channel.id);
    this.topics.set(id, channel);
    return id;
  }

  on(topic: string): Seen[] {
    return this.seen.filter((one) => one.topic === topic);
  }

  /** Calls a service as soon as it is advertised. Errors: what the server says. */
  async call(name: string, data: Uint8Array, encoding = 'json'): Promise<Answer> {
    await until(() => this.services.has(name));
    const callId = this.nextCall++;
    const answer = new Promise<Answer | Error>((resolve) => this.calls.set(callId, resolve));
    const serviceId = this.services.get(name)!.id;
    this.client.sendServiceCallRequest({ serviceId, callId, encoding, data });
    const answered = await answer;
    if (answered instanceof Error) throw answered;
    return answered;
  }

  private decoder({ schema, schemaName }: Channel): protobuf.Type {
    let type = this.decoders.get(schema + schemaName);
    if (type === undefined) {
      const root = (protobuf.Root as unknown as { fromDescriptor(set: Uint8Array): protobuf.Root }).fromDescriptor(
        Buffer.from(schema, 'base64'),
      );
      type = root.lookupType(`.${schemaName}`);
      this.decoders.set(schema + schemaName, type);
    }
    return type;
  }
}
