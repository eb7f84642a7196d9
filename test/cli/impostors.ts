import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { encodeEvent, joinEnvelope } from '../../src/messages/envelope.js';
import { eventUri, type Uri } from '../../src/messages/uri.js';
import { WireServer } from '../../src/wire/server.js';
import type { FramedMessage, Headers, OutgoingStream } from '../../src/wire/types.js';
import { registry } from '../mesh/running.js';
import { framed } from '../wire/framed.js';
import { closeAtEnd } from './closing.js';

/* What else may listen on a port where a service is expected. Each gives its port and ends with the test. */

async function listen(server: Server, close: () => void = () => server.close()): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAtEnd(() => {
    close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** Takes connections and says nothing. */
export function silentPort(): Promise<number> {
  return listen(createServer());
}

/** Greets in another language. */
export function mailPort(): Promise<number> {
  return listen(createServer((socket) => socket.write('220 mail.example ESMTP\r\n')));
}

/** A web server. */
export function webPort(): Promise<number> {
  return listen(createHttp((_request, response) => response.end('hello')));
}

/** A web server that speaks HTTP/2. */
export function web2Port(): Promise<number> {
  return listen(
    createHttp2((_request, response) => {
      response.statusCode = 404;
      response.end();
    }) as unknown as Server,
  );
}

/** A gRPC server of another kind. */
export async function grpcPort(): Promise<number> {
  const server = new GrpcServer();
  new HealthImplementation({ '': 'SERVING' }).addToServer(server);
  closeAtEnd(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

export interface PeerOptions {
  readonly uris: readonly Uri[];
  /** Response headers of subscriptions. */
  readonly headers?: Headers;
  /** Takes a subscription over, by its path. */
  subscribe?(path: string, stream: OutgoingStream): void;
}

/** An event service that answers as the test says: farm-ng's when it sends no headers. */
export async function peerPort({ uris, headers, subscribe = () => undefined }: PeerOptions): Promise<number> {
  const server = new WireServer(
    {
      listUris: async () => registry.encode('farm_ng.core.proto.ListUrisReply', { uris }),
      requestReply: async () => new Uint8Array(0),
      subscribe: (request, _call, stream) => {
        const { uri } = registry.decode('farm_ng.core.proto.SubscribeRequest', request) as { uri: Uri };
        stream.sendHeaders(headers ?? {});
        subscribe(uri.path, stream);
      },
    },
    { host: '127.0.0.1', port: 0, maxMessageBytes: 1e6, errorHeaders: {} },
  );
  closeAtEnd(() => server.close());
  return server.listen();
}

/** An event as it goes over the wire. */
export function wireEvent(path: string, message: unknown, { sequence = 0, service = 'agent-1' } = {}): FramedMessage {
  const payload = registry.encode('google.protobuf.Struct', message);
  const uri = structUri(path, service);
  const event = encodeEvent({ uri, timestamps: [], payloadLength: payload.length, sequence });
  return framed(joinEnvelope(event, payload));
}

export function structUri(path: string, service = 'agent-1'): Uri {
  return eventUri('there', path, 'google.protobuf.Struct', 'google/protobuf/struct.proto', service);
}
