import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { loadConfig, parseConfig } from '../../src/config/load.js';
import { errorOf, faultsOf, parse } from './parse.js';

describe('the shipped configuration', () => {
  const config = loadConfig('service_config.json');

  it('holds the six services, and those of Golem', () => {
    expect(config.services.map(({ name, host, port, args }) => [name, host, port, ...args])).toEqual([
      ['agent-1', 'localhost', 5001, 'rate=5', 'num_tasks=10'],
      ['agent-2', 'localhost', 5002, 'rate=10', 'num_tasks=5'],
      ['agent-3', 'localhost', 5003, 'rate=100', 'num_tasks=1'],
      ['supervisor-1', 'localhost', 7001, 'confidence=0.25', 'residual=storage/residual'],
      ['supervisor-2', 'localhost', 7002, 'confidence=0.5', 'residual=storage/residual'],
      ['storage', 'localhost', 7010, 'max_storage=500', 'batch_size=50'],
      ['golem-node', 'localhost', 7020],
      ['simple-service-1', 'localhost', 5011, 'rate=1', 'stats_s=10'],
      ['simple-service-2', 'localhost', 5012, 'rate=2', 'stats_s=10'],
      ['supervisor-3', 'localhost', 7003, 'confidence=0.5', 'residual=storage/residual'],
    ]);
  });

  it('holds what farm-ng programs need', () => {
    for (const { args, port, subscriptions } of config.services) {
      expect(port).toBeGreaterThan(0);
      for (const text of args) expect(text.split('=')).toHaveLength(2);
      for (const { publisher } of subscriptions) expect(publisher).not.toBe('storage');
    }
  });

  it('is frozen to its depth', () => {
    const [first] = config.services;
    expect(() => Object.assign(first?.published[0] ?? {}, { path: '/x' })).toThrow(TypeError);
    expect(() => (config.services as unknown[]).push(1)).toThrow(TypeError);
  });
});

describe('both forms and both spellings', () => {
  it('reads every_n and everyN, log_level and logLevel, names and numbers', () => {
    const uri = { path: '/a', query: 'service_name=a' };
    const { services } = parse([
      { name: 'a', port: 1, logLevel: 'WARN', subscriptions: [{ uri, every_n: 2 }] },
      { name: 'b', port: '2', log_level: 40, subscriptions: [{ uri, everyN: '3' }] },
      { name: 'c', log_level: null, subscriptions: [{ uri: { path: 'a', query: 'service=a' } }] },
    ]);
    expect(services.map(({ logLevel }) => logLevel)).toEqual(['warning', 'error', 'notset']);
    expect(services.map(({ subscriptions: [edge] }) => [edge?.path, edge?.everyN])).toEqual([
      ['/a', 2],
      ['/a', 3],
      ['/a', 0],
    ]);
    expect(services.map(({ port }) => port)).toEqual([1, 2, undefined]);
  });

  it('attaches a subscription in string form to its subscriber, wherever it stands', () => {
    const config = parse([
      { name: 'agent-1', port: 1, subscriptions: ['event://supervisor-1/sample?service=agent-1&depth=5'] },
      { name: 'supervisor-1', port: 2 },
    ]);
    expect(config.services.map(({ subscriptions }) => subscriptions)).toEqual([
      [],
      [
        {
          publisher: 'agent-1',
          path: '/sample',
          everyN: 0,
          qos: { depth: 5 },
          at: 'configs[0].subscriptions[0]',
        },
      ],
    ]);
  });

  it('takes an edge written twice for one, and joins what the two say', () => {
    const { services } = parse([
      { name: 'a', port: 1, subscriptions: ['event://b/x?service=a&overflow=latest'] },
      { name: 'b', port: 2, subscriptions: [{ uri: { path: 'x', query: 'depth=1&service_name=a' }, every_n: 2 }] },
    ]);
    expect(services[1]?.subscriptions).toMatchObject([{ everyN: 2, qos: { overflow: 'latest', depth: 1 } }]);
  });

  it('refuses an edge written twice with other settings', () => {
    const faults = faultsOf([
      { name: 'a', port: 1, subscriptions: ['event://b/x?service=a&depth=3', 'event://b/x?service=a&depth=4'] },
      { name: 'b' },
    ]);
    expect(faults).toEqual([
      'configs[0].subscriptions[1]: is the same edge as configs[0].subscriptions[0], which says depth=3; this one says depth=4: keep one',
    ]);
  });

  it('finds names with slashes in string form', () => {
    const { services } = parse([
      { name: 'oak/0', port: 1, subscriptions: ['event://rec/0/rgb?service=oak/0'] },
      { name: 'rec/0' },
    ]);
    expect(services[1]?.subscriptions).toMatchObject([{ publisher: 'oak/0', path: '/rgb' }]);
  });

  it('reads a single entry, and an unnamed publisher by the rule of the wire', () => {
    const subscription = (path: string) => ({ uri: { path } });
    const single = parseConfig(
      JSON.stringify({ name: 'gps', port: 3001, subscriptions: [subscription('pvt')] }),
      'gps.json',
    );
    expect(single.services[0]?.subscriptions).toMatchObject([
      { publisher: 'gps', path: '/pvt', at: 'subscriptions[0]' },
    ]);
    const { services } = parse([
      { name: 'oak/1', port: 1 },
      { name: 'gps', port: 2 },
      { name: 'all', subscriptions: [subscription('oak/1/disparity')] },
    ]);
    expect(services[2]?.subscriptions).toMatchObject([{ publisher: 'oak/1', path: '/disparity' }]);
  });

  it('reads wildcards', () => {
    const paths = ['*', '/*', '/gps/*', 'gps/*'];
    const { services } = parse([
      { name: 'a', port: 1 },
      ...paths.map((path, index) => ({
        name: `s${index}`,
        subscriptions: [{ uri: { path, query: 'service_name=a' } }],
      })),
    ]);
    expect(services.slice(1).map(({ subscriptions: [edge] }) => edge?.path)).toEqual(['*', '*', '/gps/*', '/gps/*']);
  });

  it('reads published and request paths, with or without types', () => {
    const uris = [
      { scheme: 'protobuf', path: '/a', query: 'type=x.Y&pb=x/y.proto&history=9&latch=true&service_name=s' },
      { path: 'b' },
      { scheme: 'request', path: '/c', query: 'request=x.Q&reply=x.R' },
      { scheme: 'request', path: '/start/*' },
    ];
    const [service] = parse([{ name: 's', port: 1, uris }]).services;
    expect(service?.published).toEqual([
      { path: '/a', type: 'x.Y', pb: 'x/y.proto', history: 9, latch: true, at: 'configs[0].uris[0]' },
      { path: '/b', type: '', pb: '', history: 0, latch: false, at: 'configs[0].uris[1]' },
    ]);
    expect(service?.requests).toEqual([
      { path: '/c', request: 'x.Q', reply: 'x.R', at: 'configs[0].uris[2]' },
      { path: '/start/*', request: '', reply: '', at: 'configs[0].uris[3]' },
    ]);
  });
});

describe('faults', () => {
  it('names place, finding and remedy of an unknown publisher', () => {
    const faults = faultsOf([
      { name: 'agent-3', port: 1 },
      { name: 'agent-1', port: 2 },
      { name: 'boss', subscriptions: [{ uri: { path: '/sample', query: 'service_name=agent-9' } }] },
    ]);
    expect(faults).toEqual([
      'configs[2].subscriptions[0]: publisher "agent-9" is not in this file; did you mean "agent-3"?',
    ]);
  });

  it('reports every fault at once', () => {
    const faults = faultsOf([
      { name: 'a', port: 70_000, host: 'localhost:5', log_level: 'LOUD', args: ['x=1', 2], subscription: [] },
      { name: 'a', port: 1.5, uris: [{ scheme: 'requst', path: '/x' }, 'x', { path: '/y*', query: 'latch=yes' }] },
      { port: true, host: 7, subscriptions: {} },
      { name: 'c d', subscriptions: [{ uri: 5 }, 4, 'agent-1/sample', 'event://z/x?service=a', { every_n: -1 }] },
      7,
    ]);
    expect(faults).toEqual([
      'configs[4]: is the number 7; write an object, {"name": …, "host": …, "port": …}',
      'configs[0]: unknown key "subscription"; did you mean "subscriptions"?',
      'configs[0].host: "localhost:5" is not a host name or address; the port stands in "port"',
      'configs[0].port: is the number 70000; write a whole number from 0 to 65535',
      'configs[0].args[1]: is the number 2; write a string such as "rate=5"',
      'configs[0].log_level: is the string "LOUD"; write one of NOTSET, DEBUG, INFO, WARNING, ERROR, CRITICAL or their numbers 0, 10 … 50',
      'configs[1].uris[0]: scheme "requst"; did you mean "request"?',
      'configs[1].uris[1]: is the string "x"; write {"scheme": "protobuf", "path": "/sample", "query": "type=…&pb=…&service_name=…"}',
      'configs[1].uris[2]: path "/y*" contains "*"; name each published path',
      'configs[1].uris[2]: latch=yes is neither true nor false; write latch=true',
      'configs[1].port: is the number 1.5; write a whole number from 0 to 65535',
      'configs[2].name: is missing; give the service a name',
      'configs[2].host: is the number 7; write a string',
      'configs[2].port: is true; write a whole number from 0 to 65535',
      'configs[2].subscriptions: is an object; write a list in [ ]',
      'configs[3].name: "c d" cannot be a service\'s name: a name has no space, none of ? & = # *, no slash at its ends, and at most 200 characters',
      'configs[1].name: "a" is the name of configs[0] too; give each service its own',
      'configs[3].subscriptions[0]: "uri" is the number 5; write {"path": …, "query": …}',
      'configs[3].subscriptions[1]: is the number 4; write {"uri": {"path": "/sample", "query": "service_name=agent-1"}, "every_n": 1}',
      'configs[3].subscriptions[2]: "agent-1/sample" is not a subscription; write event://SUBSCRIBER/path?service=PUBLISHER',
      'configs[3].subscriptions[3]: subscriber "z" is not in this file; did you mean "a"?',
      'configs[3].subscriptions[4].every_n: is the number -1; write a whole number from 0 to 4294967295',
      'configs[3].subscriptions[4]: "uri" is missing; write {"path": …, "query": …}',
    ]);
  });

  it.each([
    ['depth=0&service_name=a', 'depth=0 is not a whole number from 1 to 1000000'],
    ['depth=many&service_name=a', 'depth=many is not a whole number from 1 to 1000000'],
    ['block_ms=-1&service_name=a', 'block_ms=-1 is not a whole number from 1 to 3600000'],
    ['overflow=drop-oldst&service_name=a', 'overflow=drop-oldst is no policy; did you mean "drop-oldest"?'],
    [
      'overflow=keep&service_name=a',
      'overflow=keep is no policy; write one of drop-oldest, drop-newest, latest, block',
    ],
    ['overflw=block&service_name=a', 'unknown query part "overflw"; did you mean "overflow"?'],
    ['type=a b&service_name=a', 'type=a b is not a message name; write it in full, such as google.protobuf.Struct'],
    ['service_name=a&service=b', 'the query names two services, "a" and "b"; keep service_name='],
    ['', 'names no publisher; let its query end in service_name=NAME, one of "a", "b"'],
  ])('refuses the query %j', (query, message) => {
    const faults = faultsOf([
      { name: 'a', port: 1, subscriptions: [{ uri: { path: '/x', query } }] },
      { name: 'b', port: 2 },
    ]);
    expect(faults).toEqual([`configs[0].subscriptions[0]: ${message}`]);
  });

  it.each([
    ['', 'has no path; write for example "/sample"'],
    ['/a*b', 'path "/a*b": "*" stands only alone or at the end, as in "/gps/*"'],
    [
      '/a?service_name=b',
      'path "/a?service_name=b" contains a space or one of ? & = #; the query stands in a field of its own',
    ],
    [`/${'x'.repeat(10_000)}`, 'a path of 10001 characters; the limit is 1024'],
  ])('refuses the path %.30j', (path, message) => {
    const faults = faultsOf([{ name: 'a', port: 1, subscriptions: [{ uri: { path, query: 'service_name=a' } }] }]);
    expect(faults).toEqual([`configs[0].subscriptions[0]: ${message}`]);
  });

  it('tells of a pb that is percent-encoded and of a uri in the wrong entry', () => {
    expect(faultsOf([{ name: 'a', uris: [{ path: '/x', query: 'pb=a%2Fb.proto&service_name=b' }] }])).toEqual([
      'configs[0].uris[0]: says service_name=b in the entry of "a"; a uri belongs to its own entry',
      "configs[0].uris[0]: pb=a%2Fb.proto is encoded; write the file's path raw, as google/protobuf/struct.proto",
    ]);
  });

  it('tells of keys in two spellings and of keys that stand twice', () => {
    expect(errorOf('{"name": "a", "log_level": "INFO", "logLevel": "INFO", "name": "b"}').message).toBe(
      'test.json: 2 faults\n  line 1, column 56: the key "name" stands twice in one object; keep one\n  log_level: stands twice, once as "logLevel"; keep one spelling',
    );
  });

  it.each([
    ['', 'test.json: is empty; write {"configs": [ … ]} with at least one service'],
    [' \n ', 'test.json: is empty; write {"configs": [ … ]} with at least one service'],
    [
      '{"configs": [',
      'test.json: not JSON: line 1, column 14: the text ends where a value should stand; the file is cut off',
    ],
    ['[]', 'test.json: is a list; write an object, {"configs": [ … ]}'],
    ['{"configs": []}', 'test.json: configs: is empty; list the services in [ ]'],
    ['{"configs": {}}', 'test.json: configs: is an object; list the services in [ ]'],
    ['{"config": []}', 'test.json: has no "configs", but a key that looks like it; write {"configs": [ … ]}'],
    ['{}', 'test.json: name: is missing; give the service a name'],
    ['{"configs": [{"name": "a"}], "x": 1}', 'test.json: unknown key "x" beside "configs"; remove it'],
  ])('refuses the text %j', (text, message) => {
    expect(errorOf(text).message).toBe(message);
  });

  it('stays quick on a file of many faults', () => {
    const entries = Array.from({ length: 20_000 }, (_, index) => ({
      name: `service-${index}`,
      subscriptions: [{ uri: { path: '/x', query: `service_name=servce-${index}` } }],
    }));
    const error = errorOf(JSON.stringify({ configs: entries }));
    expect(error.message).toContain('20000 faults');
    expect(error.faults).toHaveLength(200);
    expect(error.message.length).toBeLessThan(20_000);
  });
});

describe('loadConfig', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'furrow-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const failure = (name: string, content?: string | Buffer) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    try {
      loadConfig(path);
    } catch (error) {
      if (error instanceof MeshError) return [error.code, error.message.replace(folder, '')];
      throw error;
    }
    return [];
  };

  it('refuses files that are no configuration', () => {
    expect(failure('absent.json')).toEqual([
      'not-found',
      '/absent.json: there is no such file; name one with --service-config',
    ]);
    expect(failure('.')).toEqual(['invalid-argument', ': is a folder, not a file']);
    expect(failure('bytes.json', Buffer.from([0x7b, 0xff, 0x7d]))).toEqual([
      'invalid-argument',
      '/bytes.json: is not UTF-8 text',
    ]);
    expect(failure('long.json', Buffer.alloc(10_000_000, 0x20))).toEqual([
      'invalid-argument',
      '/long.json: is longer than 8 MB; a configuration of that size is a mistake',
    ]);
  });

  it('reads a file with a byte order mark', () => {
    const path = join(folder, 'bom.json');
    writeFileSync(path, '\ufeff{"name": "a", "port": 1}');
    expect(loadConfig(path)).toMatchObject({ file: path, services: [{ name: 'a', host: 'localhost', port: 1 }] });
  });
});
