import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { credentials, makeGenericClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import descriptor from 'protobufjs/ext/descriptor.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shippedProtos } from '../../src/messages/proto-directory.js';
import { TypeRegistry } from '../../src/messages/registry.js';
import { WireServer } from '../../src/wire/server.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const registry = new TypeRegistry();
const uri = { scheme: 'protobuf', authority: 'here', path: '/sample', query: 'type=google.protobuf.Struct' };
const services = [
  'farm_ng.core.proto.EventService',
  'furrow.RequestLane',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];

const server = new WireServer(
  {
    listUris: async () => registry.encode('farm_ng.core.proto.ListUrisReply', { uris: [uri] }),
    requestReply: async (request) => request,
    subscribe: (_request, _call, stream) => stream.end(),
  },
  { host: '127.0.0.1', port: 0, maxMessageBytes: 1 << 22, errorHeaders: {} },
);

beforeAll(() => server.listen());
afterAll(() => server.close());

async function buf(method: string, ...flags: string[]): Promise<string> {
  const url = `http://127.0.0.1:${server.port}${method}`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['node_modules/@bufbuild/buf/bin/buf', 'curl', '--http2-prior-knowledge', '--protocol', 'grpc', ...flags, url],
    // The environment without proxies, and a home for its cache.
    { cwd: root, env: { PATH: process.env.PATH, HOME: tmpdir() } },
  );
  return stdout;
}

test.each(['grpc-v1', 'grpc-v1alpha'])('buf lists the services through %s', async (protocol) => {
  const listed = await buf('', '--reflect-protocol', protocol, '--list-services');
  expect(listed.trim().split('\n').sort()).toEqual(services);
});

test.each(['grpc-v1', 'grpc-v1alpha'])('buf calls listUris with the schema it got through %s', async (protocol) => {
  const reply = await buf('/farm_ng.core.proto.EventService/listUris', '--reflect-protocol', protocol);
  expect(JSON.parse(reply)).toEqual({ uris: [uri] });
});

test('buf asks for the health, whose file has a map', async () => {
  const reply = await buf('/grpc.health.v1.Health/List');
  expect(JSON.parse(reply).statuses).toMatchObject({ 'farm_ng.core.proto.EventService': { status: 'SERVING' } });
});

interface Answer {
  readonly originalRequest: object;
  readonly listServicesResponse?: { service: { name: string }[] };
  readonly fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  readonly allExtensionNumbersResponse?: { baseTypeName: string; extensionNumber: number[] };
  readonly errorResponse?: { errorCode: number; errorMessage: string };
}

/** Asks all questions in one call. */
async function ask(...questions: object[]): Promise<Answer[]> {
  const protos = loadSync('grpc/reflection/v1/reflection.proto', { includeDirs: [shippedProtos()] });
  const Client = makeGenericClientConstructor(protos[services[3]!] as ServiceDefinition, 'Reflection');
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const call = client.serverReflectionInfo!();
  for (const question of questions) call.write(question);
  call.end();
  const answers: Answer[] = [];
  for await (const answer of call) answers.push(answer);
  client.close();
  return answers;
}

async function filesFor(question: object) {
  const [answer] = await ask(question);
  const files = answer!.fileDescriptorResponse?.fileDescriptorProto ?? [];
  return files.map((bytes) => descriptor.FileDescriptorProto.decode(bytes));
}

test('a file comes under its import path, with all that it imports', async () => {
  const files = await filesFor({ fileByFilename: 'farm_ng/core/recorder.proto' });
  expect(files.map(({ name }) => name).sort()).toEqual([
    'farm_ng/core/event.proto',
    'farm_ng/core/event_service.proto',
    'farm_ng/core/recorder.proto',
    'farm_ng/core/timestamp.proto',
    'farm_ng/core/uri.proto',
    'google/protobuf/struct.proto',
  ]);
  expect(files[0]).toMatchObject({
    name: 'farm_ng/core/recorder.proto',
    package: 'farm_ng.core.proto',
    syntax: 'proto3',
  });
  expect(files[0]!.messageType![0]!.field![1]).toMatchObject({ typeName: '.farm_ng.core.proto.SubscribeRequest' });
  const struct = files.find(({ name }) => name === 'google/protobuf/struct.proto')!;
  expect(struct.messageType![0]!.nestedType![0]).toMatchObject({ name: 'FieldsEntry', options: { mapEntry: true } });
  expect(struct.messageType![1]!.field![0]).toMatchObject({ name: 'null_value', jsonName: 'nullValue', oneofIndex: 0 });
});

test.each([
  ['farm_ng.core.proto.EventService', 'farm_ng/core/event_service.proto'],
  ['farm_ng.core.proto.EventService.subscribe', 'farm_ng/core/event_service.proto'],
  ['farm_ng.core.proto.Event.payload_length', 'farm_ng/core/event.proto'],
  ['farm_ng.core.proto.EventServiceConfig.LogLevel', 'farm_ng/core/event_service.proto'],
  ['farm_ng.core.proto.ANNOTATION_NOTE', 'farm_ng/core/recorder.proto'],
  ['google.protobuf.NullValue', 'google/protobuf/struct.proto'],
  ['furrow.RequestLane.requests', 'furrow/request_lane.proto'],
  ['grpc.health.v1.Health', 'grpc/health/v1/health.proto'],
  ['grpc.reflection.v1alpha.ServerReflection', 'grpc/reflection/v1alpha/reflection.proto'],
])('%s is found in %s', async (symbol, file) => {
  expect((await filesFor({ fileContainingSymbol: symbol }))[0]?.name).toBe(file);
});

test('questions without an answer get an error each, and the call goes on', async () => {
  const answers = await ask(
    { fileByFilename: 'no/such.proto' },
    { fileContainingSymbol: 'no.Such' },
    { fileContainingExtension: { containingType: 'farm_ng.core.proto.Event', extensionNumber: 7 } },
    { allExtensionNumbersOfType: 'no.Such' },
    { host: 'somebody' },
    { allExtensionNumbersOfType: 'farm_ng.core.proto.Event' },
    { listServices: '*' },
  );
  expect(answers.map(({ errorResponse }) => errorResponse?.errorCode)).toEqual([5, 5, 5, 5, 3, undefined, undefined]);
  expect(answers[0]!.errorResponse!.errorMessage).toContain('no/such.proto');
  expect(answers[4]!.originalRequest).toMatchObject({ host: 'somebody' });
  expect(answers[5]!.allExtensionNumbersResponse!.baseTypeName).toBe('farm_ng.core.proto.Event');
  expect(answers[6]!.listServicesResponse!.service.map(({ name }) => name)).toEqual(services);
});
