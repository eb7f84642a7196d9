import { describe, expect, it } from 'vitest';
import { meshGraph } from '../../src/config/graph.js';
import { layOut } from '../../src/config/layout.js';
import { loadConfig } from '../../src/config/load.js';
import { renderDot } from '../../src/config/render-dot.js';
import { renderMermaid } from '../../src/config/render-mermaid.js';
import { renderSvg } from '../../src/config/render-svg.js';
import { parse } from './parse.js';

const shipped = meshGraph(loadConfig('service_config.json'));
const odd = meshGraph(
  parse([
    {
      name: 'a"<b>',
      host: '::1',
      port: 1,
      uris: [
        { path: '/x', query: 'type=p.X' },
        { path: '/g/y', query: 'type=p.Y' },
      ],
    },
    {
      name: 'c',
      args: ['ask=d/do', 'self=c/x'],
      subscriptions: ['*', '/g/*', '/health'].map((path) => ({ uri: { path, query: 'service_name=a"<b>' } })),
    },
    {
      name: 'd',
      port: 2,
      uris: [{ scheme: 'request', path: '/do', query: 'request=p.Q&reply=p.R' }],
      subscriptions: ['event://d/x?service=d'],
    },
  ]),
);

describe('meshGraph', () => {
  it('holds the edges of the subscriptions and of the args', () => {
    expect(shipped.edges.map(({ kind, from, to, path, type }) => `${kind} ${from}${path} ${to} ${type}`)).toEqual([
      'subscribe agent-1/sample supervisor-1 google.protobuf.Struct',
      'subscribe agent-2/sample supervisor-1 google.protobuf.Struct',
      'arg storage/residual supervisor-1 google.protobuf.Int32Value',
      'subscribe agent-3/sample supervisor-2 google.protobuf.Struct',
      'arg storage/residual supervisor-2 google.protobuf.Int32Value',
      'subscribe simple-service-1/sample supervisor-3 google.protobuf.Struct',
      'subscribe simple-service-2/sample supervisor-3 google.protobuf.Struct',
      'arg storage/residual supervisor-3 google.protobuf.Int32Value',
    ]);
    expect(shipped.services.at(5)).toEqual({ name: 'storage', address: 'localhost:7010' });
    expect(shipped.paths).toHaveLength(36);
    expect(shipped.types).toEqual([
      'furrow.Dump',
      'furrow.DumpRequest',
      'furrow.GolemEvent',
      'furrow.LifeCycleEvent',
      'furrow.Plot',
      'furrow.PlotRequest',
      'google.protobuf.DoubleValue',
      'google.protobuf.Empty',
      'google.protobuf.Int32Value',
      'google.protobuf.Struct',
    ]);
  });

  it('gives a wildcard a type only if there is one, and a request its direction', () => {
    expect(odd.edges).toEqual([
      { kind: 'subscribe', from: 'a"<b>', to: 'c', path: '*', type: '' },
      { kind: 'subscribe', from: 'a"<b>', to: 'c', path: '/g/*', type: 'p.Y' },
      { kind: 'subscribe', from: 'a"<b>', to: 'c', path: '/health', type: 'google.protobuf.Struct' },
      { kind: 'request', from: 'c', to: 'd', path: '/do', type: 'p.Q', arg: 'ask' },
      { kind: 'subscribe', from: 'd', to: 'd', path: '/x', type: '' },
    ]);
    expect(odd.services.map(({ address }) => address)).toEqual(['[::1]:1', undefined, 'localhost:2']);
  });
});

describe('drawings', () => {
  it('draws Mermaid', () => {
    expect(renderMermaid(shipped)).toBe(
      [
        'flowchart LR',
        '  s0["<b>agent-1</b><br/>localhost:5001"]',
        '  s1["<b>agent-2</b><br/>localhost:5002"]',
        '  s2["<b>agent-3</b><br/>localhost:5003"]',
        '  s3["<b>supervisor-1</b><br/>localhost:7001"]',
        '  s4["<b>supervisor-2</b><br/>localhost:7002"]',
        '  s5["<b>storage</b><br/>localhost:7010"]',
        '  s6["<b>golem-node</b><br/>localhost:7020"]',
        '  s7["<b>simple-service-1</b><br/>localhost:5011"]',
        '  s8["<b>simple-service-2</b><br/>localhost:5012"]',
        '  s9["<b>supervisor-3</b><br/>localhost:7003"]',
        '  s0 -->|"/sample<br/>Struct"| s3',
        '  s1 -->|"/sample<br/>Struct"| s3',
        '  s5 -.->|"/residual<br/>Int32Value"| s3',
        '  s2 -->|"/sample<br/>Struct"| s4',
        '  s5 -.->|"/residual<br/>Int32Value"| s4',
        '  s7 -->|"/sample<br/>Struct"| s9',
        '  s8 -->|"/sample<br/>Struct"| s9',
        '  s5 -.->|"/residual<br/>Int32Value"| s9',
        '',
      ].join('\n'),
    );
    expect(renderMermaid(odd)).toContain('<b>a#34;#60;b#62;</b>');
  });

  it('draws DOT', () => {
    const dot = renderDot(odd);
    expect(dot).toMatch(/^digraph mesh \{\n.*\n\}\n$/s);
    expect(dot).toContain('  "c" -> "d" [label="/do\\nQ", tooltip="c asks d: /do, p.Q (arg ask)", style=bold];');
    expect(dot).toContain('"a\\"<b>" -> "c"');
  });

  it('draws SVG with every service, path and edge, and escapes names', () => {
    const svg = renderSvg(shipped);
    for (const { name } of shipped.services) expect(svg).toContain(`>${name}</text>`);
    expect(svg.match(/<title>supervisor-\d (subscribes|listens) to /g)).toHaveLength(8);
    expect(svg.match(/class="edge arg" d="M[\d.]/g)).toHaveLength(4);
    expect(renderSvg(odd)).toContain('>a&#34;&#60;b&#62;</text>');
    expect(renderSvg(odd)).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('draws a service alone', () => {
    expect(renderSvg(meshGraph(parse([{ name: 'only' }])))).toContain('>only</text>');
  });
});

describe('layOut', () => {
  it('lays boxes beside each other, around cycles', () => {
    const nodes = ['a', 'b', 'c'].map((id) => ({ id, width: 100, height: 40 }));
    const pairs = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['a', 'b'],
    ] as const;
    const { boxes, edges, width, height } = layOut(
      nodes,
      pairs.map(([from, to]) => ({ from, to, width: 30, height: 10 })),
      5,
    );
    expect(edges).toHaveLength(4);
    const all = [...boxes.values()];
    for (const [index, one] of all.entries()) {
      expect(one.x + 50).toBeLessThanOrEqual(width);
      expect(one.y + 20).toBeLessThanOrEqual(height);
      for (const other of all.slice(index + 1)) {
        expect(Math.abs(one.x - other.x) >= 100 || Math.abs(one.y - other.y) >= 40).toBe(true);
      }
    }
  });
});
