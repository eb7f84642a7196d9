import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { HeaderDecoder } from '../../src/http2/header-decoder.js';
import { encodeHeaders } from '../../src/http2/header-encoder.js';
import { open, Recorder, requestFields } from './opened.js';

const name = fc
  .string({ unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&*+^`|~'"), maxLength: 150 })
  .map((text) => `x-${text}`);
const value = fc
  .string({
    unit: fc
      .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9))
      .map((code) => String.fromCharCode(code)),
    maxLength: 300,
  })
  .filter((text) => !/^[\t ]|[\t ]$/.test(text));

test.each([0, 100, 4096, 65_536])(
  'a server whose table has %i bytes reads what was sent, however long it is',
  async (headerTableSize) => {
    const server = createServer({ settings: { headerTableSize } });
    let seen: Record<string, unknown> = {};
    server.on('stream', (stream, headers) => {
      seen = { ...headers };
      stream.respond({ ':status': 200 }, { endStream: true });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { connection } = await open((server.address() as AddressInfo).port);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, value, { maxKeys: 10 }),
        fc.integer({ min: 0, max: 40_000 }),
        async (fields, bytes) => {
          const long: [string, string] = ['x', 'l'.repeat(bytes)];
          const all = [...requestFields, ...Object.entries(fields), long];
          const heard = new Recorder();
          connection.request(all, heard).end();
          expect(await heard.closing).toBe(0);
          expect(Object.entries(seen).sort()).toEqual(all.sort());
          expect({ ...new HeaderDecoder().decode(encodeHeaders(all)) }).toEqual(Object.fromEntries(all));
        },
      ),
      { numRuns: 40 },
    );
  },
);

test.each([
  ['', 'a name'],
  ['Upper', 'a name'],
  ['with space', 'a name'],
  ['x', 'line\nbreak'],
  ['x', 'nul\0'],
  ['x', 'snow ☃'],
  ['x', ' blank ahead'],
  ['x', 'tab behind\t'],
])('what HTTP cannot carry is refused: %j, %j', (header, text) => {
  expect(() => encodeHeaders([[header, text]])).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
});
