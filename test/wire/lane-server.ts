import { once } from 'node:events';
import { type ClientHttp2Stream, connect, constants } from 'node:http2';
import {
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { onTestFinished } from 'vitest';
import { OwnMemory } from '../../src/http2/memory.js';
import { shippedProtos } from '../../src/messages/proto-directory.js';
import { FrameReader } from '../../src/wire/frame-reader.js';
import { framePrefix } from '../../src/wire/frames.js';
import {
  encodeRequests,
  type LaneReply,
  type LaneRequest,
  lanePath,
  laneServiceName,
  readReplies,
} from '../../src/wire/lane-messages.js';
import { WireServer } from '../../src/wire/server.js';
import type { MessageBlock, WireHandler } from '../../src/wire/types.js';
import { messagesOf } from './framed.js';

const lanes = loadSync('furrow/request_lane.proto', {
  includeDirs: [shippedProtos()],
  keepCase: true,
  longs: Number,
  defaults: true,
});

export type PlainLane = ClientDuplexStream<
  { requests: { id: number; request?: Uint8Array; timeout_ms?: number; cancel?: boolean }[] },
  { replies: { id: number; reply: Buffer; code: number; message: string; more: boolean }[] }
>;

/** A server whose requests are answered by `requestReply`, until the test ends. */
export async function serverWith(
  requestReply: WireHandler['requestReply'],
  { maxMessageBytes = 1 << 22 } = {},
): Promise<WireServer> {
  const server = new WireServer(
    { listUris: async () => new Uint8Array(0), requestReply, subscribe: (_request, _call, stream) => stream.end() },
    { host: '127.0.0.1', port: 0, maxMessageBytes, errorHeaders: { 'furrow-version': '1.2.3' } },
  );
  onTestFinished(() => server.close());
  await server.listen();
  return server;
}

/** The lane as a program of grpc-js and proto-loader alone opens it. */
export function plainLane(port: number): PlainLane {
  const Client = makeGenericClientConstructor(lanes[laneServiceName] as ServiceDefinition, 'Lane');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const call = client.requests!() as unknown as PlainLane;
  call.on('error', () => undefined);
  return call;
}

export async function statusOf(call: PlainLane): Promise<StatusObject> {
  const [status] = await once(call, 'status');
  return status;
}

/** A lane whose bytes the test writes itself. */
export class RawLane {
  readonly call: ClientHttp2Stream;
  readonly replies: LaneReply[] = [];
  /** Resolves with the status that the lane ends with; `reset` when it has none. */
  readonly ended: Promise<string>;

  constructor(port: number) {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => undefined);
    onTestFinished(() => session.destroy());
    this.call = session.request({
      ':method': 'POST',
      ':path': lanePath,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    this.call.on('error', () => undefined);
    let status = 'reset';
    for (const event of ['response', 'trailers'] as const) {
      this.call.on(event, (headers) => {
        if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
      });
    }
    this.ended = new Promise((resolve) => {
      this.call.on('close', () => resolve(status));
      this.call.on('end', () => this.call.close(constants.NGHTTP2_CANCEL));
    });
  }

  /** Begins to read. */
  read(): this {
    const reader = new FrameReader(1 << 22);
    this.call.on('data', (chunk: Buffer) => {
      const blocks: MessageBlock[] = [];
      reader.read(new OwnMemory(chunk), 0, chunk.length, blocks);
      for (const message of messagesOf(blocks)) readReplies(message, (reply) => this.replies.push(reply));
    });
    return this;
  }

  ask(...requests: LaneRequest[]): void {
    this.write(encodeRequests(requests));
  }

  write(message: Uint8Array): void {
    this.call.write(Buffer.concat([framePrefix(message.length), message]));
  }
}
