import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseQuery } from '../../src/base/query.js';
import { eventUri, isWildcard, matchesPath, normalizePath, serviceOfQuery } from '../../src/messages/uri.js';

const names = fc.stringMatching(/^[a-zA-Z0-9_./-]+$/);

test('an event URI has three raw query parts in the order that farm-ng peers expect', () => {
  expect(eventUri('host', '/sample', 'google.protobuf.Struct', 'google/protobuf/struct.proto', 'oak/0')).toEqual({
    scheme: 'protobuf',
    authority: 'host',
    path: '/sample',
    query: 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=oak/0',
  });
  fc.assert(
    fc.property(names, names, names, (type, pb, service) => {
      const { query } = eventUri('host', '/p', type, pb, service);
      expect([...parseQuery(query)]).toEqual([
        ['type', type],
        ['pb', pb],
        ['service_name', service],
      ]);
      expect(serviceOfQuery(query)).toBe(service);
    }),
  );
});

test.each([
  ['service_name=agent-1', 'agent-1'],
  ['service=agent-1', 'agent-1'],
  ['depth=100&service_name=oak/0', 'oak/0'],
  ['service=old&service_name=new', 'new'],
  ['service_name=&service=old', 'old'],
  ['service_name=a=b', 'a=b'],
  ['type=x', undefined],
  ['', undefined],
  ['&&==', undefined],
])('the service of "%s" is %s', (query, service) => expect(serviceOfQuery(query)).toBe(service));

test('no query makes the parser fail', () => {
  fc.assert(
    fc.property(fc.string(), (query) => {
      expect(['string', 'undefined']).toContain(typeof serviceOfQuery(query));
    }),
  );
});

test.each([
  ['sample', '/sample'],
  ['/sample', '/sample'],
  ['gps/*', '/gps/*'],
  ['*', '*'],
  ['', '/'],
])('the path "%s" is %s', (path, normal) => expect(normalizePath(path)).toBe(normal));

test.each([
  ['/gps', '/gps', true],
  ['/gps', '/gps/pvt', false],
  ['/gps/*', '/gps/pvt', true],
  ['/gps/*', '/gps/a/b', true],
  ['/gps/*', '/gps', false],
  ['/gps/*', '/gpsx/pvt', false],
  ['*', '/anything', true],
  ['/*', '/anything', true],
])('%s asks for %s: %s', (pattern, path, asked) => expect(matchesPath(pattern, path)).toBe(asked));

test('a path without a star asks for itself alone', () => {
  const paths = fc.string().map((path) => `/${path.replaceAll('*', '')}`);
  fc.assert(
    fc.property(paths, paths, (one, other) => {
      expect(isWildcard(one)).toBe(false);
      expect(matchesPath(one, one)).toBe(true);
      expect(matchesPath(one, other)).toBe(one === other);
    }),
  );
});
