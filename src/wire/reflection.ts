import { join, relative, sep } from 'node:path';
import { type Server, type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import protobuf from 'protobufjs';
import { MeshError } from '../base/errors.js';
import { shippedProtos } from '../messages/proto-directory.js';
import { wireProtoFiles } from './definition.js';
import { DescriptorFiles } from './descriptors.js';

/*
 * gRPC server reflection, so that tools such as grpcurl and `buf curl` can ask a service what it speaks.
 * Source: https://grpc.io/docs/guides/reflection/ and protos/grpc/reflection/.
 */

const reflectionFiles = ['grpc/reflection/v1/reflection.proto', 'grpc/reflection/v1alpha/reflection.proto'];
const reflectionServices = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'];
const healthFile = 'grpc/health/v1/health.proto';
const healthService = 'grpc.health.v1.Health';

interface Question {
  readonly host: string;
  /** Name of the field that is set. */
  readonly messageRequest?: string;
  readonly fileByFilename?: string;
  readonly fileContainingSymbol?: string;
  readonly fileContainingExtension?: { readonly containingType: string; readonly extensionNumber: number };
  readonly allExtensionNumbersOfType?: string;
}

type ReflectionCall = ServerDuplexStream<Question, object>;

/**
 * Adds server reflection, v1 and v1alpha, to a server. It lists `ownServices`, health checking and itself, and describes
 * the files under furrow's own protos directory, which are where those come from.
 */
export function addReflection(server: Server, ownServices: readonly string[]): void {
  const services = [...ownServices, healthService, ...reflectionServices];
  // Most servers are never asked, and what an answer needs takes long to load.
  let files: DescriptorFiles | undefined;
  let protos: PackageDefinition | undefined;
  const loaded = (): PackageDefinition => {
    protos ??= loadSync(reflectionFiles, { includeDirs: [shippedProtos()], oneofs: true, defaults: true });
    return protos;
  };
  const answer = (question: Question): object => {
    files ??= describedFiles();
    return reply(question, files, services);
  };
  for (const name of reflectionServices) {
    server.addService(lazyDefinition(name, loaded), {
      serverReflectionInfo: (call: ReflectionCall) => converse(call, answer),
    });
  }
}

/** A reflection service whose messages are known when the first of them comes. */
function lazyDefinition(name: string, protos: () => PackageDefinition): ServiceDefinition {
  const method = () => (protos()[name] as ServiceDefinition).ServerReflectionInfo!;
  return {
    serverReflectionInfo: {
      path: `/${name}/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (question: Question) => method().requestSerialize(question),
      requestDeserialize: (bytes: Buffer) => method().requestDeserialize(bytes),
      responseSerialize: (answer: object) => method().responseSerialize(answer),
      responseDeserialize: (bytes: Buffer) => method().responseDeserialize(bytes),
    },
  };
}

/** Answers one call's questions one by one, no faster than the client reads. */
function converse(call: ReflectionCall, answer: (question: Question) => object): void {
  call.on('drain', () => call.resume());
  call.on('end', () => call.end());
  call.on('data', (question: Question) => {
    try {
      const room = call.write({ validHost: question.host, originalRequest: question, ...answer(question) });
      if (!room) call.pause();
    } catch (error) {
      call.emit('error', Object.assign(MeshError.from(error), { code: status.INTERNAL }));
    }
  });
}

function reply(question: Question, files: DescriptorFiles, services: readonly string[]): object {
  switch (question.messageRequest) {
    case 'listServices':
      return { listServicesResponse: { service: services.toSorted().map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileReply(files, question.fileByFilename!, `file "${question.fileByFilename}"`);
    case 'fileContainingSymbol': {
      const symbol = question.fileContainingSymbol!;
      return fileReply(files, files.declaring(symbol) ?? '', `symbol "${symbol}"`);
    }
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = question.fileContainingExtension!;
      return refusal(status.NOT_FOUND, `extension ${extensionNumber} of "${containingType}" is not known here`);
    }
    case 'allExtensionNumbersOfType': {
      const type = question.allExtensionNumbersOfType!;
      if (!files.isMessage(type)) return refusal(status.NOT_FOUND, `message "${type}" is not known here`);
      return { allExtensionNumbersResponse: { baseTypeName: type, extensionNumber: [] } };
    }
    default:
      return refusal(status.INVALID_ARGUMENT, 'the request asks nothing; set one field of message_request');
  }
}

function fileReply(files: DescriptorFiles, file: string, what: string): object {
  const descriptors = files.closure(file);
  if (descriptors === undefined) return refusal(status.NOT_FOUND, `${what} is not known here`);
  return { fileDescriptorResponse: { fileDescriptorProto: descriptors } };
}

function refusal(errorCode: status, errorMessage: string): object {
  return { errorResponse: { errorCode, errorMessage } };
}

function describedFiles(): DescriptorFiles {
  const directory = shippedProtos();
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(directory, target));
  root.loadSync([...wireProtoFiles, ...reflectionFiles]);
  root.resolvePath = (_origin, target) => target;
  root.loadSync(healthProto);
  root.resolveAll();
  return new DescriptorFiles(root, (filename) =>
    filename === healthProto ? healthFile : relative(directory, filename).split(sep).join('/'),
  );
}
