import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { checkConfig } from '../../src/config/check.js';
import { formatConfig } from '../../src/config/format.js';
import { meshGraph } from '../../src/config/graph.js';
import { loadConfig, parseConfig } from '../../src/config/load.js';
import { renderDot } from '../../src/config/render-dot.js';
import { renderMermaid } from '../../src/config/render-mermaid.js';
import { type LogLevel, overflowPolicies } from '../../src/config/types.js';
import { parse } from './parse.js';

const name = fc.stringMatching(/^[a-z]{1,4}(\/[0-9])?(-[0-9])?$/);
const path = fc.stringMatching(/^\/[a-z_]{1,6}(\/[a-z]{1,3})?$/);
const type = fc.constantFrom('', 'google.protobuf.Struct', 'x.Y');
const levels: readonly LogLevel[] = ['notset', 'debug', 'info', 'warning', 'error', 'critical'];

const services = fc.uniqueArray(name, { minLength: 1, maxLength: 5 }).chain((names) =>
  fc.tuple(
    ...names.map((own) =>
      fc.record(
        {
          name: fc.constant(own),
          host: fc.constantFrom('localhost', '10.0.0.1', 'robot.local', '::1'),
          port: fc.integer({ min: 1, max: 65_535 }),
          subscriptions: fc.uniqueArray(
            fc.record(
              {
                publisher: fc.constantFrom(...names),
                path: fc.oneof(path, fc.constantFrom('*', '/gps/*')),
                everyN: fc.nat({ max: 5 }),
                qos: fc.record(
                  {
                    depth: fc.integer({ min: 1, max: 1000 }),
                    overflow: fc.constantFrom(...overflowPolicies),
                    blockMs: fc.integer({ min: 1, max: 5000 }),
                  },
                  { requiredKeys: [] },
                ),
              },
              { noNullPrototype: true },
            ),
            { maxLength: 4, selector: (edge) => `${edge.publisher} ${edge.path}` },
          ),
          published: fc.uniqueArray(
            fc.record({
              path,
              type,
              pb: fc.constantFrom('', 'x/y.proto'),
              history: fc.nat({ max: 9 }),
              latch: fc.boolean(),
            }),
            { maxLength: 3, selector: (declared) => declared.path },
          ),
          requests: fc.uniqueArray(fc.record({ path, request: type, reply: type }), {
            maxLength: 3,
            selector: (declared) => declared.path,
          }),
          args: fc.array(fc.string(), { maxLength: 3 }),
          logLevel: fc.constantFrom(...levels),
        },
        {
          requiredKeys: ['name', 'host', 'subscriptions', 'published', 'requests', 'args', 'logLevel'],
          noNullPrototype: true,
        },
      ),
    ),
  ),
);

/** Without the places, which belong to a file. */
const bare = (value: unknown) => JSON.parse(JSON.stringify(value, (key, part) => (key === 'at' ? undefined : part)));

describe('formatConfig', () => {
  it('writes what parseConfig reads back', () => {
    fc.assert(
      fc.property(services, (written) => {
        const read = parseConfig(formatConfig({ services: written }), 'x.json');
        expect(bare(read.services)).toEqual(bare(written));
      }),
    );
  });

  it('writes the shipped configuration as it stands', () => {
    const written: unknown = JSON.parse(formatConfig(loadConfig('service_config.json')));
    expect(written).toEqual(JSON.parse(readFileSync('service_config.json', 'utf8')));
  });

  it('writes the string form as an object, with the publisher at the end of the query', () => {
    const config = parse([
      { name: 'a', port: 1, subscriptions: ['event://b/x?service=a&depth=5&overflow=block&block_ms=20&type=x.Y'] },
      { name: 'b', port: 2 },
    ]);
    expect(JSON.parse(formatConfig(config))).toMatchObject({
      configs: [
        { name: 'a' },
        {
          subscriptions: [
            { uri: { path: '/x', query: 'type=x.Y&depth=5&overflow=block&block_ms=20&service_name=a' }, every_n: 0 },
          ],
        },
      ],
    });
  });
});

describe('any text', () => {
  const shipped = readFileSync('service_config.json', 'utf8');
  const scalar = fc.oneof(
    fc.constantFrom('a', 'b', '', 'event://a/x?service=b', 'event://a?b', '*', '/x', 'service_name=a&depth=0', '&=&'),
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  );
  const key = fc.constantFrom(
    'configs',
    'name',
    'port',
    'host',
    'subscriptions',
    'uris',
    'args',
    'log_level',
    'uri',
    'path',
    'query',
    'scheme',
    'every_n',
    '__proto__',
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 6 }, scalar, fc.array(tie('tree'), { maxLength: 4 }), fc.dictionary(key, tie('tree'))),
  }));
  const texts = fc.oneof(
    fc.string(),
    tree.map((value) => JSON.stringify(value)),
    fc.array(fc.dictionary(key, tree), { minLength: 1 }).map((configs) => JSON.stringify({ configs })),
    fc
      .tuple(fc.nat({ max: shipped.length }), fc.nat({ max: 20 }), fc.string({ maxLength: 5 }))
      .map(([start, length, put]) => shipped.slice(0, start) + put + shipped.slice(start + length)),
  );

  it('becomes a configuration that can be checked, drawn and written, or a MeshError', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const config = parseConfig(text, 'x.json');
          expect(Array.isArray(checkConfig(config))).toBe(true);
          const graph = meshGraph(config);
          expect(renderMermaid(graph) + renderDot(graph)).not.toContain('undefined');
          expect(bare(parseConfig(formatConfig(config), 'x.json'))).toEqual(bare(config));
        } catch (error) {
          if (!(error instanceof MeshError)) throw error;
          expect(error.faults).not.toHaveLength(0);
        }
      }),
      { numRuns: 400 },
    );
  });
});
