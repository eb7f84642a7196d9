import fc from 'fast-check';
import { MeshError } from 'furrow';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { shippedProtos } from '../../src/messages/proto-directory.js';
import {
  encodeReplies,
  encodeRequests,
  type LaneReply,
  type LaneRequest,
  LaneRequestReader,
  laneOverheadBytes,
  readReplies,
} from '../../src/wire/lane-messages.js';

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => `${shippedProtos()}/${target}`;
root.loadSync('furrow/request_lane.proto');
const [requestsType, repliesType] = [root.lookupType('furrow.LaneRequests'), root.lookupType('furrow.LaneReplies')];
const plain = { longs: Number, defaults: true, arrays: true };

const id = fc.oneof(fc.nat(), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const requests: fc.Arbitrary<LaneRequest[]> = fc.array(
  fc.oneof(
    fc.record({ id, request: bytes, timeoutMs: uint32 }),
    fc.record({ id, request: fc.constant(undefined), timeoutMs: fc.constant(0) }),
  ),
);
const text = fc.string({ unit: 'binary', maxLength: 50 });
const replies: fc.Arbitrary<LaneReply[]> = fc.array(
  fc.record({ id, reply: bytes, code: uint32, message: text, more: fc.boolean() }),
);

function readRequests(message: Buffer): LaneRequest[] {
  const reader = new LaneRequestReader(message);
  const read: LaneRequest[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) read.push(next);
  return read;
}

function replyList(message: Buffer): LaneReply[] {
  const read: LaneReply[] = [];
  readReplies(message, (reply) => read.push(reply));
  return read;
}

test('requests are what the proto file says, both ways', () => {
  fc.assert(
    fc.property(requests, (items) => {
      const encoded = encodeRequests(items);
      const declared = items.map(({ id, request, timeoutMs }) => ({
        id,
        request: request ?? Buffer.alloc(0),
        timeoutMs,
        cancel: request === undefined,
      }));
      expect(requestsType.toObject(requestsType.decode(encoded), plain)).toEqual({ requests: declared });
      const theirs = Buffer.from(requestsType.encode(requestsType.fromObject({ requests: declared })).finish());
      expect(readRequests(theirs)).toEqual(items);
      expect(readRequests(encoded)).toEqual(items);
    }),
  );
});

test('replies are what the proto file says, both ways', () => {
  fc.assert(
    fc.property(replies, (items) => {
      const encoded = encodeReplies(items);
      expect(repliesType.toObject(repliesType.decode(encoded), plain)).toEqual({ replies: items });
      const theirs = Buffer.from(repliesType.encode(repliesType.fromObject({ replies: items })).finish());
      expect(replyList(theirs)).toEqual(items);
      expect(replyList(encoded)).toEqual(items);
    }),
  );
});

test('what stands beside a request is never more than is reckoned for it', () => {
  fc.assert(
    fc.property(id, bytes, uint32, (id, request, timeoutMs) => {
      const length = encodeRequests([{ id, request, timeoutMs }]).length;
      expect(length).toBeLessThanOrEqual(request.length + laneOverheadBytes);
    }),
  );
});

test('fields that a later version adds are passed over', () => {
  const later = new protobuf.Type('Later')
    .add(new protobuf.Field('requests', 1, 'bytes', 'repeated'))
    .add(new protobuf.Field('hint', 7, 'string'));
  const item = new protobuf.Type('Item')
    .add(new protobuf.Field('id', 1, 'uint64'))
    .add(new protobuf.Field('request', 2, 'bytes'))
    .add(new protobuf.Field('priority', 9, 'double'));
  const inner = item.encode({ id: 5, request: Buffer.from('x'), priority: 0.5 }).finish();
  const message = Buffer.from(later.encode({ requests: [inner], hint: 'soon' }).finish());
  expect(readRequests(message)).toEqual([{ id: 5, request: Buffer.from('x'), timeoutMs: 0 }]);
});

test('bytes that are no message are an error of ours, whatever they are', () => {
  const refused = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      expect(error).toBeInstanceOf(MeshError);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array(), (array) => {
      refused(() => readRequests(Buffer.from(array)));
      refused(() => replyList(Buffer.from(array)));
    }),
  );
  // An id of 2^63, and one that says that more follows than does.
  expect(() => readRequests(Buffer.from([0x0a, 11, 8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1]))).toThrow(
    /2\^53/,
  );
  expect(() => readRequests(Buffer.from([0x0a, 9, 8, 1]))).toThrow(/ends in the middle/);
});
