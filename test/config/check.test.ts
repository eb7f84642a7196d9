import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../src/config/check.js';
import { loadConfig } from '../../src/config/load.js';
import { parse } from './parse.js';

const findings = (configs: readonly unknown[]) =>
  checkConfig(parse(configs)).map(({ severity, at, message }) => `${severity} ${at}: ${message}`);

const struct = 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto';
const agent = (number: number, extra: object = {}) => ({
  name: `agent-${number}`,
  port: 5000 + number,
  uris: [{ path: '/sample', query: struct }],
  ...extra,
});
const subscribe = (path: string, query: string) => ({ uri: { path, query } });
const boss = (...subscriptions: unknown[]) => ({ name: 'boss', port: 7001, subscriptions });
const storage = {
  name: 'storage',
  port: 7010,
  uris: [
    { path: '/residual', query: 'type=google.protobuf.Int32Value' },
    {
      scheme: 'request',
      path: '/update_storage',
      query: 'request=google.protobuf.Empty&reply=google.protobuf.Int32Value',
    },
  ],
};

describe('checkConfig', () => {
  it('finds nothing in the shipped configuration', () => {
    expect(checkConfig(loadConfig('service_config.json'))).toEqual([]);
  });

  it('finds subscriptions to paths nobody publishes, with what exists', () => {
    expect(
      findings([
        agent(1),
        storage,
        boss(
          subscribe('/smaple', 'service_name=agent-1'),
          subscribe('/sample/*', 'service_name=agent-1'),
          subscribe('/update_storage', 'service_name=storage'),
          subscribe('/health', 'service_name=agent-1'),
          subscribe('*', 'service_name=agent-1'),
        ),
      ]),
    ).toEqual([
      'error configs[2].subscriptions[0]: nobody publishes /smaple: "agent-1" publishes "/sample", "/health"; did you mean "/sample"?',
      'error configs[2].subscriptions[1]: nobody publishes /sample/*: "agent-1" publishes "/sample", "/health"; did you mean "/sample"?',
      'error configs[2].subscriptions[2]: nobody publishes /update_storage: "storage" answers it as a request, and publishes "/residual", "/health"',
    ]);
  });

  it('keeps quiet about publishers that declare nothing', () => {
    expect(findings([{ name: 'a', port: 1 }, boss(subscribe('/x', 'service_name=a'))])).toEqual([]);
  });

  it('finds publishers that are no servers', () => {
    expect(findings([{ name: 'a', uris: [{ path: '/x' }] }, boss(subscribe('/x', 'service_name=a'))])).toEqual([
      'error configs[0]: "a" declares paths but has no port, so nobody reaches them; give it one',
      'error configs[1].subscriptions[0]: publisher "a" has no port, so nobody can subscribe to it; give it one',
    ]);
  });

  it('names the place in the file of a subscription in string form', () => {
    expect(findings([agent(1, { subscriptions: ['event://boss/x?service=agent-1'] }), boss()])).toEqual([
      'error configs[0].subscriptions[0]: nobody publishes /x: "agent-1" publishes "/sample", "/health"',
    ]);
  });

  it('finds services that would fight for a port', () => {
    expect(findings([agent(1), agent(2, { port: 5001, host: '127.0.0.1' })])).toEqual([
      'error configs[1].port: "agent-1", "agent-2" share localhost:5001, and only one process can listen there; give each its own port, or host them in one process and say so with the same program= in their args',
    ]);
    expect(findings([agent(1, { args: ['program=all'] }), agent(2, { port: 5001, args: ['program=all'] })])).toEqual([
      'warning configs[1].port: "agent-1", "agent-2" share localhost:5001: one process must host them all, and every subscription and request must name its service to tell them apart',
    ]);
    expect(findings([agent(1), agent(2, { port: 5001, host: '10.0.0.2' })])).toEqual([]);
  });

  it('only warns of the shared port of a robot, whose entries say where its services are', () => {
    const entry = (name: string) => ({
      name,
      port: 50010,
      subscriptions: [subscribe('/state', `service_name=${name}`)],
    });
    expect(findings([entry('gps'), entry('oak/0'), entry('oak/1')])).toEqual([
      expect.stringMatching(/^warning configs\[2\]\.port: "gps", "oak\/0", "oak\/1" share localhost:50010/),
    ]);
  });

  it('finds types that differ', () => {
    const other = { uris: [{ path: '/sample', query: 'type=x.Y&pb=x/y.proto' }] };
    expect(findings([agent(1), agent(2, other)])).toEqual([
      'warning configs[1].uris[0]: /sample is x.Y here, but google.protobuf.Struct in "agent-1", which runs the same program',
    ]);
    expect(findings([agent(1), boss(subscribe('/sample', 'type=x.Y&service_name=agent-1'))])).toEqual([
      'error configs[1].subscriptions[0]: expects x.Y on /sample, but "agent-1" publishes google.protobuf.Struct; correct one of them',
    ]);
    expect(
      findings([
        agent(1, {
          uris: [
            { path: '/a', query: 'type=x.Y' },
            { path: '/a', query: 'type=x.Z' },
          ],
        }),
      ]),
    ).toEqual(['error configs[0].uris[1]: "agent-1" declares /a twice, as x.Y and as x.Z; keep one']);
    expect(
      findings([
        agent(1),
        { ...agent(2), name: 'b', uris: [{ path: '/a', query: 'type=google.protobuf.Struct&pb=x.proto' }] },
      ]),
    ).toEqual([
      'error configs[1].uris[0]: says that google.protobuf.Struct stands in x.proto, but "agent-1" says google/protobuf/struct.proto; correct one of them',
    ]);
  });

  it('finds args that name paths or services that are not there', () => {
    const args = (...texts: string[]) => findings([storage, { name: 'boss', port: 1, args: texts }]);
    expect(args('residual=storage/residual', 'ask=storage/update_storage', '--health=storage/health')).toEqual([]);
    expect(args('residual=storage/resdual')).toEqual([
      'error configs[1].args[0]: nobody publishes or answers storage/resdual, which residual names: "storage" publishes "/residual", "/health" and answers "/update_storage"; did you mean "/residual"?',
    ]);
    expect(args('residual=storge/residual')).toEqual([
      'error configs[1].args[0]: residual names service "storge", which is not in the configuration; did you mean "storage/residual"?',
    ]);
    expect(
      args('file=/tmp/storage', 'url=http://storge/x', 'program=storge/main', 'unit=m/s', 'dir=./storge/x'),
    ).toEqual([]);
  });

  it('finds settings without effect', () => {
    expect(
      findings([agent(1), boss(subscribe('/sample', 'overflow=latest&depth=5&block_ms=9&service_name=agent-1'))]),
    ).toEqual([
      'warning configs[1].subscriptions[0]: block_ms has no effect without overflow=block',
      'warning configs[1].subscriptions[0]: overflow=latest keeps one event; depth=5 has no effect',
    ]);
    expect(findings([agent(1, { uris: [{ path: '/sample' }, { path: '/health' }] })])).toEqual([
      'warning configs[0].uris[1]: /health is published by every service by itself; remove it from the uris',
    ]);
  });
});
