import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { loadConfig } from '../../src/config/load.js';
import type { EventService } from '../../src/mesh/event-service.js';
import { int32, struct, subscribersOf, until } from '../mesh/running.js';
import { type ConfigEntry, writeConfig } from '../mesh-config.js';
import { freePorts, startFurrow } from '../process.js';
import { clientAt, closeAtEnd, serve } from './closing.js';

const folder = mkdtempSync(join(tmpdir(), 'furrow-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const published = (path: string, { type, pb }: typeof struct, service: string, extra = '') => ({
  scheme: 'protobuf',
  path,
  query: `type=${type}&pb=${pb}${extra}&service_name=${service}`,
});
const request = (path: string, types: string) => ({ scheme: 'request', path, query: types });
const residual = request('/update_residual', 'request=google.protobuf.Int32Value&reply=google.protobuf.Empty');

let file: string;
let agent: EventService;
let ports: number[];

beforeAll(async () => {
  ports = await freePorts(4);
  const [agentPort = 0, supervisorPort = 0, awayPort = 0, freePort = 0] = ports;
  const entries: ConfigEntry[] = [
    {
      name: 'agent-1',
      host: '127.0.0.1',
      port: agentPort,
      uris: [
        published('/sample', struct, 'agent-1'),
        published('/mode', int32, 'agent-1', '&latch=true'),
        residual,
        request('/fail', 'request=google.protobuf.Empty&reply=google.protobuf.Empty'),
        request('/add', 'request=google.protobuf.Int64Value&reply=google.protobuf.Int64Value'),
      ],
    },
    {
      name: 'supervisor-1',
      host: '127.0.0.1',
      port: supervisorPort,
      subscriptions: [{ uri: { path: '/sample', query: 'service_name=agent-1' }, every_n: 1 }],
    },
    { name: 'agent-2', host: '127.0.0.1', port: awayPort, uris: [published('/sample', struct, 'agent-2'), residual] },
    { name: 'spare', host: '127.0.0.1', port: freePort, uris: [published('/sample', struct, 'spare')] },
  ];
  file = writeConfig(folder, entries);
  const config = loadConfig(file);
  agent = await serve(config.services[0]);
  agent.onRequest('/update_residual', () => undefined);
  agent.onRequest('/add', (value) => (value as bigint) + 1n);
  agent.onRequest('/fail', () => {
    throw new MeshError('data-loss', 'the disk is on fire');
  });
  await serve(config.services[1]);
  const listening = clientAt(agentPort).subscribe('/sample').subscribe();
  closeAtEnd(() => listening.unsubscribe());
  const timer = setInterval(() => void agent.publish('/sample', { sample: 0.5 }).catch(() => undefined), 5);
  closeAtEnd(() => clearInterval(timer));
  await agent.publish('/mode', 7);
});

/** Runs a command to its end. */
async function furrow(...args: readonly string[]): Promise<{ code: number | null; text: string; json: unknown[] }> {
  await using running = startFurrow([...args, '-c', file]);
  const { code } = await running.ended({ timeoutMs: 25_000 });
  const json = running.lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as unknown] : []));
  return { code, text: running.lines.join('\n'), json };
}

describe('every command', () => {
  it('suggests commands, options, services and paths, and exits with 2', async () => {
    const runs = await Promise.all([
      furrow('ehco', 'agent-1/sample'),
      furrow('echo', 'agent-1/sample', '--jsn'),
      furrow('echo', 'agnet-1/sample'),
      furrow('echo', 'agent-1/smaple'),
      furrow('req', 'agent-1/update_residul', '3'),
      furrow('echo'),
    ]);
    expect(runs.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2]);
    const texts = runs.map(({ text }) => text);
    expect(texts[0]).toContain('Did you mean echo?');
    expect(texts[1]).toContain('Did you mean --json?');
    expect(texts[2]).toContain('did you mean "agent-1"?');
    expect(texts[3]).toContain('did you mean "/sample"?');
    expect(texts[4]).toContain('did you mean "/update_residual"?');
    expect(texts[5]).toContain("missing required argument 'service/path'");
  });

  it('explains itself with an example', async () => {
    for (const command of ['check', 'graph', 'ls', 'echo', 'hz', 'bw', 'delay', 'req', 'pub', 'doctor', 'types']) {
      const text = await help(command);
      expect(text, command).toMatch(/Examples?:\n {2}\$ furrow /);
      expect(text, command).toContain('--json');
    }
  });
});

/** The help of a command, without a process for each. */
async function help(name: string): Promise<string> {
  const module = (await import(`../../src/cli/${name}.ts`)) as Record<string, () => Command>;
  const written: string[] = [];
  const command = module[`${name}Command`]?.();
  command?.configureOutput({ writeOut: (text) => void written.push(text) });
  command?.outputHelp();
  return written.join('');
}

describe('furrow echo', () => {
  it('prints events as JSON lines', async () => {
    const { code, json } = await furrow('echo', 'agent-1/sample', '--count', '3', '--json');
    expect(code).toBe(0);
    expect(json).toHaveLength(3);
    expect(json[0]).toMatchObject({ service: 'agent-1', path: '/sample', type: struct.type, message: { sample: 0.5 } });
    const sequences = json.map((line) => (line as { sequence: number }).sequence);
    expect(sequences).toEqual([0, 1, 2].map((index) => (sequences[0] ?? 0) + index));
  });

  it('prints readable lines, and marks latched values', async () => {
    const { code, text } = await furrow('echo', 'agent-1/mode', '--once');
    expect(code).toBe(0);
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}#0 {2}latched {2}7$/);
  });

  it('names the path of each event of a wildcard', async () => {
    const { text } = await furrow('echo', 'agent-1/*', '--count', '5');
    expect(text).toMatch(/ \/sample {2}#\d+ {2}\{"sample":0\.5\}/);
  });

  it('ends well at Ctrl-C, and when nobody reads its output', async () => {
    await using stopped = startFurrow(['echo', 'agent-1/sample', '-c', file]);
    await using unread = startFurrow(['echo', 'agent-1/sample', '-c', file]);
    await Promise.all([stopped.line(/sample/), unread.line(/sample/)]);
    stopped.signal('SIGINT');
    unread.closeOutput();
    const exits = await Promise.all([stopped.ended(), unread.ended()]);
    expect(exits).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    expect(unread.lines.filter((line) => /EPIPE|Error/.test(line))).toEqual([]);
  });

  it('says that it waits for an away service, and gives up when told to', async () => {
    const { code, text } = await furrow('echo', 'agent-2/sample', '--timeout-ms', '700');
    expect(code).toBe(3);
    expect(text).toMatch(/waiting for agent-2: /);
    expect(text).toMatch(/no event of agent-2\/sample for 700 ms; try: furrow doctor agent-2\/sample/);
  });
});

describe('furrow hz, bw and delay', () => {
  it('measure a number of events, and sum up', async () => {
    const [hz, bw, delay] = await Promise.all([
      furrow('hz', 'agent-1/sample', '--count', '20', '--json'),
      furrow('bw', 'agent-1/sample', '--count', '20', '--json'),
      furrow('delay', 'agent-1/sample', '--count', '20', '--json'),
    ]);
    expect([hz.code, bw.code, delay.code]).toEqual([0, 0, 0]);
    const finals = [hz, bw, delay].map(({ json }) => json.at(-1) as Record<string, number>);
    expect(finals[0]).toMatchObject({ service: 'agent-1', path: '/sample', received: 20, final: true });
    expect(finals[0]?.rateHz).toBeGreaterThan(0);
    expect(finals[1]?.bytesPerSecond).toBeGreaterThan(0);
    expect(finals[2]).toMatchObject({ measured: 20, unmeasured: 0 });
    expect(finals[2]?.minS).toBeGreaterThan(0);
  });

  it('say at Ctrl-C that nothing came', async () => {
    await using running = startFurrow(['hz', 'agent-2/sample', '-c', file]);
    await running.line(/no event yet/);
    running.signal('SIGINT');
    expect((await running.ended()).code).toBe(0);
    expect(running.lines.at(-1)).toBe('agent-2/sample  no event came');
  });

  it('say why there is no delay', async () => {
    const { code, text } = await furrow('delay', 'agent-1/sample', '--from', 'driver/receive', '--count', '3');
    expect(code).toBe(1);
    expect(text).toMatch(/no delay: events have no driver\/receive stamp/);
  });
});

describe('furrow req', () => {
  it('prints the reply', async () => {
    const [plain, json, big] = await Promise.all([
      furrow('req', 'agent-1/update_residual', '455'),
      furrow('req', 'agent-1/update_residual', '455', '--json'),
      furrow('req', 'agent-1/add', '"9007199254740993"'),
    ]);
    expect(plain).toMatchObject({ code: 0, text: '{}' });
    expect(json.json).toEqual([
      {
        service: 'agent-1',
        path: '/update_residual',
        type: 'google.protobuf.Empty',
        seconds: expect.any(Number),
        message: {},
      },
    ]);
    expect(big).toMatchObject({ code: 0, text: '"9007199254740994"' });
  });

  it('asks all, and prints who did not answer', async () => {
    const { code, text } = await furrow('req', '--all', 'update_residual', '3');
    expect(code).toBe(3);
    expect(text).toMatch(/^agent-1 {2}\{\}$/m);
    expect(text).toMatch(/^agent-2 {2}unavailable: /m);
  });

  it('tells apart a failed request, a wrong message and an away service', async () => {
    const [failed, wrong, unfit, away] = await Promise.all([
      furrow('req', 'agent-1/fail'),
      furrow('req', 'agent-1/update_residual', 'abc'),
      furrow('req', 'agent-1/update_residual', '1.5'),
      furrow('req', 'agent-2/update_residual', '3'),
    ]);
    expect(failed).toMatchObject({ code: 1, text: expect.stringContaining('the disk is on fire') });
    expect(wrong).toMatchObject({ code: 2, text: expect.stringContaining('abc is not JSON') });
    expect(unfit).toMatchObject({ code: 2, text: expect.stringContaining('must be an integer') });
    expect(away).toMatchObject({ code: 3, text: expect.stringContaining('agent-2') });
  });
});

describe('furrow pub', () => {
  it('takes the seat of a service of the configuration, and waits for a subscriber', async () => {
    await using running = startFurrow(['pub', 'spare/sample', '{"sample": 0.25}', '-c', file]);
    await running.line(/waiting for 1 subscriber of spare\/sample/);
    const client = clientAt(ports[3] ?? 0, { name: 'spare' });
    for await (const event of client.events('/sample')) {
      expect(event.message).toEqual({ sample: 0.25 });
      break;
    }
    expect((await running.ended()).code).toBe(0);
    expect(running.lines.at(-1)).toBe('spare/sample  #0  {"sample":0.25}  → 1 subscriber');
  });

  it('publishes under any name with a port of its own, at a rate', async () => {
    const [port = 0] = await freePorts(1);
    const args = ['pub', 'test/note', '"hello"', '--type', 'google.protobuf.StringValue'];
    const { code, json } = await furrow(...args, '--port', String(port), '--rate', '100', '--count', '3', '--json');
    expect(code).toBe(0);
    expect(json).toEqual(
      [0, 1, 2].map((sequence) => ({ service: 'test', path: '/note', sequence, subscribers: 0, dropped: 0 })),
    );
  });

  it('keeps a latched message until Ctrl-C', async () => {
    const [port = 0] = await freePorts(1);
    const args = ['pub', 'test/mode', '7', '--type', int32.type, '--port', String(port), '--latch', '-c', file];
    await using running = startFurrow(args);
    await running.line(/is kept for later subscribers/);
    for await (const event of clientAt(port, { name: 'test' }).events('/mode')) {
      expect(event.message).toBe(7);
      break;
    }
    running.signal('SIGINT');
    expect((await running.ended()).code).toBe(0);
  });

  it('does not push a running service aside', async () => {
    const { code, text } = await furrow('pub', 'agent-1/sample', '{}');
    expect(code).toBe(4);
    expect(text).toMatch(/is agent-1 running\? Stop it, or give another --port/);
  });

  it('needs a port for a name that is not in the configuration, and a type for an undeclared path', async () => {
    const [unknown, untyped] = await Promise.all([
      furrow('pub', 'agent-9/sample', '{}'),
      furrow('pub', 'spare/smple', '{}'),
    ]);
    expect(unknown).toMatchObject({ code: 2, text: expect.stringContaining('give --port') });
    expect(untyped).toMatchObject({ code: 2, text: expect.stringMatching(/did you mean "\/sample"\?; give --type/) });
  });
});

describe('furrow check, graph and types', () => {
  it('find nothing wrong with the configuration, draw it, and write its types', async () => {
    const svg = join(folder, 'mesh.svg');
    const [check, dot, toFile, types] = await Promise.all([
      furrow('check'),
      furrow('graph', '--format', 'dot'),
      furrow('graph', '--output', svg),
      furrow('types'),
    ]);
    expect(check).toMatchObject({ code: 0, text: expect.stringMatching(/4 services, 0 errors, 0 warnings$/) });
    expect(dot).toMatchObject({ code: 0, text: expect.stringMatching(/^digraph mesh/) });
    expect(toFile).toMatchObject({ code: 0, text: `furrow graph: wrote ${svg}` });
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg/);
    expect(types.text).toContain("'/add': { request: MessageTypes['google.protobuf.Int64Value']");
  });

  it('show faults with their JSON paths, also of a file that cannot be loaded', async () => {
    const faulty = mkdtempSync(join(folder, 'faulty-'));
    const uris = [
      { scheme: 'protobuf', path: '/a', query: 'type=google.protobuf.Strct&pb=google/protobuf/struct.proto' },
      { scheme: 'protobuf', path: '/b', query: 'type=google.protobuf.Struct&pb=struct.proto' },
    ];
    const subscriptions = [{ uri: { path: '/smaple', query: 'service_name=agent-1' } }];
    const doubtful = writeConfig(faulty, [{ name: 'agent-1', port: 5001, uris, subscriptions }]);
    await using checked = startFurrow(['check', '-c', doubtful, '--json']);
    expect((await checked.ended()).code).toBe(2);
    const { findings } = JSON.parse(checked.lines[0] ?? '') as { findings: { at: string; message: string }[] };
    expect(findings.map(({ at }) => at)).toEqual([
      'configs[0].subscriptions[0]',
      'configs[0].uris[0]',
      'configs[0].uris[1]',
    ]);
    expect(findings[1]?.message).toMatch(
      /google\.protobuf\.Strct.*did you mean "google\.protobuf\.Struct"\?.*--protos/,
    );
    expect(findings[2]?.message).toMatch(
      /^pb=struct\.proto, but google\.protobuf\.Struct stands in google\/protobuf\/struct\.proto/,
    );

    const broken = writeConfig(faulty, [{ name: 'agent-1', port: 99_999 }]);
    await using unread = startFurrow(['check', '-c', broken]);
    expect((await unread.ended()).code).toBe(2);
    expect(unread.lines.join('\n')).toMatch(/error +configs\[0\]\.port +is the number 99999/);
  });
});

describe('furrow ls and doctor', () => {
  it('list what is live and what is away', async () => {
    const { code, json } = await furrow('ls', '--json');
    expect(code).toBe(3);
    expect(json.map((line) => (line as { state: string }).state)).toEqual(['live', 'live', 'away', 'away']);
    const some = await furrow('ls', 'agent-1');
    expect(some.code).toBe(0);
    expect(some.text).toMatch(/^agent-1 +live +\/sample +google\.protobuf\.Struct +[\d.]+ Hz +1$/m);
    expect(some.text).toMatch(/^1 live$/m);
  });

  it('find the mesh healthy, a path misspelled, a service away', async () => {
    await until(() => subscribersOf(agent).length > 0);
    const [healthy, typo, away] = await Promise.all([
      furrow('doctor'),
      furrow('doctor', 'agent-1/smaple'),
      furrow('doctor', 'agent-2/sample', '--json'),
    ]);
    expect(healthy).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^✓ agent-1\/sample → supervisor-1 .*\n\n1 of 1 healthy$/),
    });
    expect(typo).toMatchObject({ code: 1, text: expect.stringContaining('→ did you mean "/sample"?') });
    expect(away.code).toBe(3);
    expect(away.json).toMatchObject([{ service: 'agent-2', path: '/sample', status: 'away' }]);
  });
});
