import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A message as proto-loader gives it: camel case, int64 as text, defaults filled in. */
export interface PlainEvent {
  readonly event: {
    readonly uri: { readonly path: string; readonly query: string } | null;
    readonly timestamps: readonly { readonly semantics: string; readonly clockName: string }[];
    readonly sequence: string;
    readonly payloadLength: string;
  };
  readonly payload: Buffer;
}

interface PlainClient extends grpc.Client {
  subscribe(request: object): grpc.ClientReadableStream<PlainEvent>;
  requestReply(request: object, done: (error: grpc.ServiceError | null, reply?: PlainEvent) => void): void;
  listUris(
    request: object,
    done: (error: grpc.ServiceError | null, reply?: { uris: { path: string }[] }) => void,
  ): void;
}

const folder = fileURLToPath(new URL('../../protos', import.meta.url));
const definition = loadSync('farm_ng/core/event_service.proto', {
  includeDirs: [folder],
  longs: String,
  defaults: true,
});
/** How the contract's methods are written and read, without a codec of ours. */
export const eventServiceDefinition = definition['farm_ng.core.proto.EventService'] as grpc.ServiceDefinition;
const Client = grpc.makeGenericClientConstructor(eventServiceDefinition, 'EventService');

/** A @grpc/grpc-js client of one service, with nothing of ours in it. The caller closes it. */
export function plainClient(port: number): PlainClient {
  return new Client(`localhost:${port}`, grpc.credentials.createInsecure()) as unknown as PlainClient;
}

/** A @grpc/grpc-js server of the contract's methods, on a free port unless one is named. The caller shuts it down. */
export async function plainServer(
  methods: grpc.UntypedServiceImplementation,
  onPort = 0,
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<{ readonly port: number; readonly server: grpc.Server }> {
  const server = new grpc.Server();
  server.addService(eventServiceDefinition, methods);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`localhost:${onPort}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { port, server };
}
