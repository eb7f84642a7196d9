import { once } from 'node:events';
import { createServer, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { errorCodes } from '../../src/http2/frames.js';
import { HeaderDecoder } from '../../src/http2/header-decoder.js';
import { encodeHeaders } from '../../src/http2/header-encoder.js';
import { ProtocolError } from '../../src/http2/protocol-error.js';
import { requestFields } from './opened.js';
import { framesOf, plainBlock, rawFrame, settingsFrameOf } from './raw-peer.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const firstRequest = { ':method': 'GET', ':scheme': 'http', ':path': '/', ':authority': 'www.example.com' };
const requests = [
  firstRequest,
  { ...firstRequest, 'cache-control': 'no-cache' },
  { ...firstRequest, ':scheme': 'https', ':path': '/index.html', 'custom-key': 'custom-value' },
];
const firstResponse = {
  ':status': '302',
  'cache-control': 'private',
  date: 'Mon, 21 Oct 2013 20:13:21 GMT',
  location: 'https://www.example.com',
};
const responses = [
  firstResponse,
  { ...firstResponse, ':status': '307' },
  {
    ...firstResponse,
    ':status': '200',
    date: 'Mon, 21 Oct 2013 20:13:22 GMT',
    'content-encoding': 'gzip',
    'set-cookie': 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  },
];
// The responses are made for a table of 256 bytes.
const smallTable = '3fe101';

test.each<[string, string[], object[]]>([
  [
    'C.2, fields alone',
    [
      '400a637573746f6d2d6b65790d637573746f6d2d686561646572',
      '040c2f73616d706c652f70617468',
      '100870617373776f726406736563726574',
      '82',
    ],
    [{ 'custom-key': 'custom-header' }, { ':path': '/sample/path' }, { password: 'secret' }, { ':method': 'GET' }],
  ],
  [
    'C.3, requests',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    requests,
  ],
  [
    'C.4, requests in Huffman code',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    requests,
  ],
  [
    'C.5, responses that push each other out',
    [
      `${smallTable}4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d`,
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
    responses,
  ],
  [
    'C.6, the same in Huffman code',
    [
      `${smallTable}488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3`,
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
    responses,
  ],
])('reads the examples of RFC 7541, appendix %s', (_, blocks, expected) => {
  const decoder = new HeaderDecoder();
  expect(blocks.map((block) => ({ ...decoder.decode(hex(block)) }))).toEqual(expected);
});

const name = fc
  .string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&*+^`|~'), maxLength: 20 })
  .map((text) => `x-${text}`);
const value = fc
  .oneof(
    fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
    fc.string({ unit: fc.integer({ min: 0x80, max: 0xff }).map((code) => String.fromCharCode(code)) }),
    fc.string({ unit: fc.constantFrom('a', '0', '{', '\\'), maxLength: 6000 }),
  )
  .map((text) => text.trim());
const response = fc.record({
  status: fc.constantFrom(200, 204, 404, 418, 500),
  fields: fc.dictionary(name, fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 })), { maxKeys: 12 }),
  isSecret: fc.boolean(),
  /** What the client says of its table before it asks. */
  tableBytes: fc.option(fc.constantFrom(0, 64, 100, 1000, 4096), { nil: undefined }),
});

test('reads whatever nghttp2 makes of headers, over all that its table goes through', async () => {
  let answer: OutgoingHttpHeaders = {};
  const server = createServer({ settings: { maxHeaderListSize: 1_000_000 } });
  server.on('stream', (stream) => stream.respond(answer, { endStream: true }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(settingsFrameOf([6, 1_000_000]));
  let rest = Buffer.alloc(0);
  const block = async (stream: number): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    for (;;) {
      const { frames, rest: left } = framesOf(rest);
      rest = Buffer.from(left);
      const ours = frames.filter((frame) => frame.stream === stream && (frame.type === 1 || frame.type === 9));
      pieces.push(...ours.map(({ payload }) => Buffer.from(payload)));
      if (ours.some(({ flags }) => (flags & 4) !== 0)) return Buffer.concat(pieces);
      const [bytes] = await once(socket, 'data');
      rest = Buffer.concat([rest, bytes]);
    }
  };
  const decoder = new HeaderDecoder();
  let stream = -1;
  await fc.assert(
    fc.asyncProperty(response, async ({ status, fields, isSecret, tableBytes }) => {
      const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
      answer = { ':status': status, date, ...fields };
      if (isSecret) answer[sensitiveHeaders as never] = Object.keys(fields) as never;
      stream += 2;
      if (tableBytes !== undefined) socket.write(settingsFrameOf([1, tableBytes]));
      socket.write(rawFrame(1, 5, stream, encodeHeaders(requestFields)));
      const joined = Object.entries(fields).map(([key, one]) => [key, Array.isArray(one) ? one.join(', ') : one]);
      expect({ ...decoder.decode(await block(stream)) }).toEqual({
        ':status': String(status),
        date,
        ...Object.fromEntries(joined),
      });
    }),
    { numRuns: 150 },
  );
});

const compressionError = expect.objectContaining({ code: errorCodes.compressionError });

test.each<[string, string]>([
  ['field 0', '80'],
  ['a field that is not in the table', 'be'],
  ['a name that is not in the table', '7f0f0161'],
  ['a number that has no end', `ff${'ff'.repeat(12)}`],
  ['a number that is cut', 'ff'],
  ['a string that is cut', '400361'],
  ['a field that is cut', '400161'],
  ['a table that grows over what was allowed', '3fe21f'],
  ['a change of the table behind a field', '8220'],
  ['an end mark in Huffman code', '0084ffffffff00'],
  ['eight bits that fill nothing', '00821fff00'],
  ['zeros that fill a byte', '0081180161'],
])('%s is an error', (_, block) => {
  expect(() => new HeaderDecoder().decode(hex(block))).toThrow(compressionError);
});

test('a field that fills the table to the last byte stays, and one that is longer empties it', () => {
  const fields = (block: string) => ({ ...new HeaderDecoder().decode(hex(block)) });
  expect(fields('3f03 4001610162 be')).toEqual({ a: 'b, b' });
  expect(() => fields('3f02 4001610162 be')).toThrow(compressionError);
  expect(() => fields('3f03 4001610162 400161026262 be')).toThrow(compressionError);
});

test('garbage is read or is a ProtocolError, and nothing else', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(...['3fe11f', '20', '400a6375', '84be', '7f00'].map(hex)) },
  );
  fc.assert(
    fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 6 }), (blocks) => {
      const decoder = new HeaderDecoder();
      for (const block of blocks) {
        try {
          const fields = decoder.decode(Buffer.concat(block));
          expect(Object.values(fields).every((text) => typeof text === 'string')).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
      }
    }),
    { numRuns: 2000 },
  );
});

test('a small block that means endless headers is refused, and a long one is not', () => {
  const decoder = new HeaderDecoder();
  const long = 'v'.repeat(4000);
  const named = Buffer.concat([hex('400178'), hex('7fa11e'), Buffer.from(long)]);
  expect(decoder.decode(named).x).toBe(long);
  expect(decoder.decode(Buffer.alloc(40, 0xbe)).x).toHaveLength(40 * 4002 - 2);
  expect(() => decoder.decode(Buffer.alloc(100_000, 0xbe))).toThrow(
    expect.objectContaining({ code: errorCodes.enhanceYourCalm }),
  );
});

test('names that mean something to JavaScript are names', () => {
  const fields = new HeaderDecoder().decode(plainBlock(['__proto__', 'a'], ['constructor', 'b']));
  expect(Object.entries(fields)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});
