import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  ChannelCredentials,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { structMessage, type Workload } from '../workload.js';
import type { PublisherEnd, SubscriberEnd, Take } from './types.js';

interface Envelope {
  event: {
    uri: { scheme: string; authority: string; path: string; query: string };
    timestamps: { stamp: number; clockName: string; semantics: string }[];
    payloadLength: number;
    sequence: number;
  };
  payload: Buffer;
}

const protos = fileURLToPath(new URL('../../protos', import.meta.url));
const channelOptions = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
// As furrow names them, so that the envelopes are of one length.
const authority = hostname();
const clocks = [`${authority}/monotonic`, `${authority}/system_clock/UTC`] as const;
const types = { bytes: 'BytesValue', struct: 'Struct', request: 'Int32Value' } as const;

function eventService(): ServiceClientConstructor {
  // Numbers, because proto-loader's default of Long objects is slower.
  const definition = loadSync('farm_ng/core/event_service.proto', { includeDirs: [protos], longs: Number });
  const root = loadPackageDefinition(definition) as unknown as {
    farm_ng: { core: { proto: { EventService: ServiceClientConstructor } } };
  };
  return root.farm_ng.core.proto.EventService;
}

function wellKnown(type: string, file: string): protobuf.Type {
  const common = protobuf.common.get(`google/protobuf/${file}.proto`);
  if (common === null) throw new Error(`protobufjs knows no google/protobuf/${file}.proto`);
  return protobuf.Root.fromJSON(common as protobuf.INamespace).lookupType(`google.protobuf.${type}`);
}

function envelope(path: string, type: string, sequence: number, payload: Buffer): Envelope {
  const file = type === 'Struct' ? 'struct' : 'wrappers';
  const query = `type=google.protobuf.${type}&pb=google/protobuf/${file}.proto&service_name=bench`;
  const [seconds, nanoseconds] = process.hrtime();
  return {
    event: {
      uri: { scheme: 'protobuf', authority, path, query },
      timestamps: [
        { stamp: seconds + nanoseconds / 1e9, clockName: clocks[0], semantics: 'service/send' },
        { stamp: Date.now() / 1e3, clockName: clocks[1], semantics: 'service/send' },
      ],
      payloadLength: payload.length,
      sequence,
    },
    payload,
  };
}

/** A plain grpc-js server over proto-loader's definition: it writes every event to every call and awaits drain. */
export async function openPublisher(workload: Workload, port: number): Promise<PublisherEnd> {
  const { tls, message, look, dropping } = workload;
  const struct = wellKnown('Struct', 'struct');
  const int32 = wellKnown('Int32Value', 'wrappers');
  const calls = new Set<ServerWritableStream<unknown, Envelope>>();
  const server = new Server(channelOptions);
  server.addService(eventService().service, {
    subscribe: (call: ServerWritableStream<unknown, Envelope>) => {
      calls.add(call);
      call.on('cancelled', () => calls.delete(call));
    },
    requestReply: (call: ServerUnaryCall<Envelope, Envelope>, reply: sendUnaryData<Envelope>) => {
      const { value } = int32.decode(call.request.payload) as unknown as { value: number };
      const payload = Buffer.from(int32.encode({ value }).finish());
      reply(null, envelope('/reply/request/echo', types.request, call.request.event.sequence, payload));
    },
  });
  const boundPort = await new Promise<number>((resolve, reject) => {
    const serverCredentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { cert_chain: readFileSync(tls.cert), private_key: readFileSync(tls.key) },
          ]);
    server.bindAsync(`127.0.0.1:${port}`, serverCredentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const constant = Buffer.alloc(Math.max(16, workload.payloadBytes), 0x5a);
  const structValue = {
    fields: Object.fromEntries(
      Object.entries(structMessage).map(([key, value]) => [
        key,
        typeof value === 'string' ? { stringValue: value } : { numberValue: value },
      ]),
    ),
  };
  const next = (stampMs: number): Buffer => {
    if (message === 'struct') return Buffer.from(struct.encode(structValue).finish());
    if (look !== 'stamp') return dropping ? Buffer.from(constant) : constant;
    const bytes = Buffer.from(constant);
    bytes.writeDoubleLE(stampMs, 0);
    return bytes;
  };
  let last = -1;
  return {
    port: boundPort,
    get last() {
      return last;
    },
    async subscribed(count) {
      while (calls.size < count) await delay(5);
    },
    publish(stampMs) {
      last += 1;
      const reply = envelope('/bench', types[message], last, next(stampMs));
      let waits: Promise<unknown>[] | undefined;
      for (const call of calls) {
        if (call.write(reply) || dropping) continue;
        waits ??= [];
        waits.push(new Promise((resolve) => call.once('drain', resolve)));
      }
      return waits === undefined ? undefined : Promise.all(waits);
    },
    async close() {
      server.forceShutdown();
    },
  };
}

export async function openSubscriber(workload: Workload, port: number): Promise<SubscriberEnd> {
  const { tls } = workload;
  const Client = eventService();
  const open = (): InstanceType<typeof Client> =>
    new Client(
      `127.0.0.1:${port}`,
      tls === undefined ? credentials.createInsecure() : ChannelCredentials.createSsl(readFileSync(tls.ca)),
      {
        ...channelOptions,
        // Or else all clients would share one connection.
        ...(workload.ownClients ? { 'grpc.use_local_subchannel_pool': 1 } : {}),
        // The certificate's name; an address is none.
        ...(tls === undefined ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
      },
    );
  const client = open();
  const others: InstanceType<typeof Client>[] = [];
  const call = client.subscribe as unknown as (request: object) => ClientReadableStream<Envelope>;
  const ask = client.requestReply as unknown as (
    request: Envelope,
    done: (error: ServiceError | null, reply?: Envelope) => void,
  ) => void;
  const int32 = wellKnown('Int32Value', 'wrappers');
  let requests = 0;
  let closing = false;
  const fail = (error: Error): void => {
    if (!closing) throw new Error(`grpc-js's subscriber: ${error.message}`);
  };
  return {
    async subscribe(count, take, { stalled }) {
      for (let index = 0; index < count; index++) {
        const look = looker(workload, index, take);
        const own = workload.ownClients ? open() : client;
        if (own !== client) others.push(own);
        const stream = call.call(own, { uri: { path: '/bench', query: 'service_name=bench' }, everyN: 0 });
        if (stalled) {
          stream.once('data', (reply: Envelope) => {
            stream.pause();
            look(reply);
          });
        } else if (workload.style === 'iterator') read(stream, look).catch(fail);
        else stream.on('data', look);
        stream.on('error', fail);
      }
    },
    request: () =>
      new Promise((resolve, reject) => {
        const payload = Buffer.from(int32.encode({ value: 7 }).finish());
        ask.call(client, envelope('/echo', types.request, requests++, payload), (error, reply) => {
          if (error !== null || reply === undefined) reject(error ?? new Error('no reply'));
          else resolve(int32.decode(reply.payload));
        });
      }),
    async close() {
      closing = true;
      for (const one of [client, ...others]) one.close();
    },
  };
}

async function read(stream: ClientReadableStream<Envelope>, look: (reply: Envelope) => void): Promise<void> {
  for await (const reply of stream) look(reply as Envelope);
}

function looker({ look }: Workload, index: number, take: Take): (reply: Envelope) => void {
  if (look === 'struct') {
    const struct = wellKnown('Struct', 'struct');
    return ({ event, payload }) => {
      const { fields } = struct.decode(payload) as unknown as { fields: Record<string, { numberValue: number }> };
      if (fields.sample?.numberValue !== structMessage.sample) throw new Error('another message');
      take(index, event.sequence, 0);
    };
  }
  if (look === 'stamp') return ({ event, payload }) => take(index, event.sequence, payload.readDoubleLE(0));
  return ({ event }) => take(index, event.sequence, 0);
}
