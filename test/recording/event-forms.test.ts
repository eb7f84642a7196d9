import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEvent } from '../../src/messages/envelope.js';
import { eventUri } from '../../src/messages/uri.js';
import { decodeUri } from '../../src/messages/uri-codec.js';
import { WireCursor } from '../../src/messages/varint.js';
import { viewOf } from '../../src/recording/bytes-part.js';
import { EventForms } from '../../src/recording/event-forms.js';
import { EventScan } from '../../src/recording/event-scan.js';
import { RecordKernel } from '../../src/recording/kernel/record-kernel.js';
import { PathTable } from '../../src/recording/path-table.js';

const stamp = fc.record({
  stamp: fc.oneof(fc.double(), fc.constantFrom(0, 1.5, Number.NaN, Number.POSITIVE_INFINITY)),
  clockName: fc.constantFrom('h/monotonic', 'other/monotonic', 'h/system_clock/UTC', 'h/gps', ''),
  semantics: fc.constantFrom('service/send', 'file/write', 'client/receive', ''),
});

const event = fc
  .record({
    path: fc.constantFrom('/a', '/b', '/a/b'),
    service: fc.constantFrom('agent-1', 'agent-2', 'oak/0'),
    timestamps: fc.array(stamp, { maxLength: 4 }),
    payloadLength: fc.oneof(fc.nat(300), fc.nat()),
    sequence: fc.oneof(fc.nat(300), fc.maxSafeNat()),
    /** Fields that a later version may add, and what else may stand behind an event. */
    extra: fc.constantFrom('', '', '', '2801', '1809', '2009', '120a09000000000000f03f', '32', '0a'),
  })
  .map(({ path, service, extra, ...head }) => {
    const uri = eventUri('h', path, 'google.protobuf.Empty', 'google/protobuf/empty.proto', service);
    return Buffer.concat([encodeEvent({ uri, ...head }), Buffer.from(extra, 'hex')]);
  });

const anything = fc.uint8Array({ minLength: 0, maxLength: 40 }).map((bytes) => Buffer.from(bytes));

/** A change of one byte, or none. */
const flipped = fc.tuple(event, fc.nat(), fc.nat(255)).map(([bytes, at, mask]) => {
  const changed = Buffer.from(bytes);
  changed[at % changed.length]! ^= mask;
  return changed;
});

/** What going through all fields finds. */
function scanned(bytes: Buffer): object {
  const scan = new EventScan();
  try {
    scan.read(bytes, 0, bytes.length);
    const { path, query, scheme } = decodeUri(new WireCursor(bytes, scan.uriStart, scan.uriEnd));
    const { payloadLength, sequence, sentS, fileWriteS, clockStart, clockEnd } = scan;
    const clockName = clockEnd === 0 ? '' : bytes.toString('utf8', clockStart, clockEnd);
    const name = path === '' || scheme === '' ? undefined : { path, query };
    return { name: name?.path, payloadLength, sequence, sentS, fileWriteS, clockName };
  } catch (error) {
    return { error: (error as { code?: string }).code };
  }
}

describe('events that are compared with one before', () => {
  it.each([
    { where: 'in JavaScript', kernelBytes: 0 },
    { where: 'in the kernel', kernelBytes: 1 << 20 },
    { where: 'in the kernel, which has no room for most forms', kernelBytes: 1 << 16 },
  ])('read as they do field by field, whatever came before: $where', ({ kernelBytes }) => {
    fc.assert(
      fc.property(fc.array(fc.oneof(event, flipped, anything), { maxLength: 40 }), (events) => {
        const table = new PathTable();
        const kernel = kernelBytes === 0 ? undefined : new RecordKernel(kernelBytes);
        const place = kernel?.buffer(64_000);
        const forms = new EventForms(table, kernel);
        // Twice: what was learned from an event must not change what is read of it.
        for (const bytes of [...events, ...events]) {
          let received: Buffer = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(5, 0xff)]);
          if (place !== undefined) {
            place.set(received);
            received = place.subarray(0, received.length);
          }
          let read: object;
          try {
            const at = kernel === undefined ? -1 : kernel.offsetOf(received) + 3;
            forms.read(viewOf(received), 3, 3 + bytes.length, at);
            const { path, payloadLength, sequence, sentS, fileWriteS, clockName } = forms;
            const name = path === undefined ? undefined : table.names[path]!.path;
            read = { name, payloadLength, sequence, sentS, fileWriteS, clockName };
          } catch (error) {
            read = { error: (error as { code?: string }).code };
          }
          expect(read).toEqual(scanned(bytes));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps services of one path apart', () => {
    const table = new PathTable();
    const forms = new EventForms(table);
    const names = ['agent-1', 'agent-2', 'agent-1', 'agent-2', 'agent-2', 'agent-1'].map((service) => {
      const uri = eventUri('h', '/a', 'google.protobuf.Empty', 'google/protobuf/empty.proto', service);
      const bytes = encodeEvent({ uri, timestamps: [], payloadLength: 1, sequence: 7 });
      forms.read(viewOf(bytes), 0, bytes.length);
      return table.names[forms.path!]!.service;
    });
    expect(names).toEqual(['agent-1', 'agent-2', 'agent-1', 'agent-2', 'agent-2', 'agent-1']);
  });
});
