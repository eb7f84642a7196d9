import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Measure, measures } from './cases.js';
import { formatRatio } from './format.js';
import { type PlotGroup, plotGroups } from './plots/plots.js';
import { detailOf, type Results, timesAsGood, writeResults } from './results.js';
import { columns, rowsOf } from './rows.js';
import { type Subject, subjects } from './subjects.js';
import { targets } from './targets.js';

const docs = fileURLToPath(new URL('../docs/', import.meta.url));

/** Writes docs/benchmarks.md, its pictures and its data; gives the files' names. */
export function writeReport(results: Results): string[] {
  mkdirSync(`${docs}bench`, { recursive: true });
  const groups = plotGroups.filter(({ measures: names }) => names.every((name) => results.cases[name] !== undefined));
  for (const { file, draw } of groups) writeFileSync(`${docs}bench/${file}`, draw(results));
  writeResults(`${docs}bench/results.json`, results);
  writeFileSync(`${docs}benchmarks.md`, reportOf(results, groups));
  return ['docs/benchmarks.md', 'docs/bench/results.json', ...groups.map(({ file }) => `docs/bench/${file}`)];
}

function reportOf(results: Results, groups: readonly PlotGroup[]): string {
  const { machine, versions } = results;
  const list = (of: Readonly<Record<string, string | number>>): string =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · ');
  return `${[
    '# Benchmarks',
    'Written by `npm run bench -- --report`; do not edit. The numbers are in [bench/results.json](bench/results.json).',
    `Machine: ${list(machine)}`,
    `Versions: ${list(versions)}`,
    method,
    '## Against the targets',
    targetTable(results),
    '## Where furrow is not ahead',
    behind(results),
    ...groups.flatMap((group) => section(group)),
    '## All figures',
    '÷ says how many times as good a subject is as the other, whichever way the unit counts: above 1× is better. CPU is in µs for each delivery (for requests: each request), of the publishing process + the subscribing one (+ the broker). Bytes are those that the subscriber read from its sockets for each delivery.',
    table(columns, rowsOf(results)),
    usage,
  ].join('\n\n')}\n`;
}

const method = `## Method

Publisher and subscriber are two processes on one machine; NATS has its server as a third. Each run starts them anew, warms them up, and measures a window in both: events, bytes, CPU. The subjects take turns (furrow, grpc-js, NATS, furrow, …), so that a machine whose speed drifts treats them alike; a figure is the median of the runs, with the smallest and the greatest. Only ratios within one run mean much on another machine.

- Every subscription checks that each sequence follows the one before. An event twice or out of order fails the run; events that never come are counted as lost.
- **furrow**: the public API, \`EventService.publish\` awaited for each event, \`EventClient.subscribe\`; \`overflow=block\`, so that nothing is lost; compiled code. The subscriptions of a case are separate calls of one client, each with a stream and a window of its own on the wire; what they bring in common is read once (\`fanout-64-clients\` has nothing in common). Where programs keep no payload, they are published as \`immutable\` and received with \`lend\`, so that none is copied or allocated for the programs; node-net, too, sends its payload as it is, and keeps nothing of what it receives.
- **grpc-js**: a plain @grpc/grpc-js server and client with @grpc/proto-loader, \`longs: Number\`, on the same methods with the same envelope (URI, two stamps, length, sequence). The server writes to every call and awaits \`drain\` of those that are full. Payloads are encoded and decoded with protobufjs.
- **nats**: nats-server and @nats-io/transport-node. A message is 240 bytes, what furrow's envelope takes around a payload of 40; nothing in it but sequence and stamp is looked at. NATS cannot hold a publisher and throws out a subscriber that falls behind, so the subscriber tells how far it is and the publisher stays within a window of it (16,384 deliveries or 64 events, 32 MB at most).
- **node-net**: frames with a length and a sequence over plain TCP; what the machine can move at all.
- **farm-ng**: farm-ng-core's EventServiceGrpc and EventClient in Python, where one is given. It drops events when its queue of 10 is full.
- Latency is from the moment that a timer woke the publisher to the subscriber's look at the event, on one clock. The timer wakes every millisecond, so 10 events go out together at 10,000 events a second. A subject that cannot keep the rate is marked as overloaded, and its latency says little.
- \`memory-stalled\`: live bytes (heap and buffers after collection) of both ends and the broker's resident memory. furrow drops the oldest beyond a depth of 100; grpc-js writes on although \`write\` says no, as a program does that does not know better; NATS's client queues without a bound.
- \`memory-idle\`: live bytes of the service for each subscriber, of NATS its broker's resident memory.`;

const usage = `## Run it

\`\`\`sh
npm run bench                                              # everything, about 8 minutes
npm run bench -- --case fanout-64 --quick --json out.json  # one case, short
npm run bench -- --compare docs/bench/results.json         # ratios against the committed ones
npm run bench -- --case one-to-one --subject furrow --cpu-prof profiles
\`\`\`

\`--cpu-prof\` writes a profile of each end, to be opened in a browser's developer tools or an editor. NATS is measured where \`nats-server\` is installed (Debian: \`apt install nats-server\`), TLS where \`openssl\` is, farm-ng with \`--farm-ng PYTHON\`. The comparison is made by hand, on a quiet machine: it is not part of the tests.`;

function section({ heading, file, measures: names }: PlotGroup): string[] {
  const shown = measures.filter(({ name }) => names.includes(name));
  return [
    `## ${heading}`,
    ...(shown.length === 0 ? [] : [shown.map(({ name, what, unit }) => `- \`${name}\` (${unit}): ${what}`).join('\n')]),
    `![${heading}](bench/${file})`,
  ];
}

function targetTable(results: Results): string {
  const rows = targets.map((target) => {
    const outcome = target.outcome(results);
    const verdict = outcome === undefined ? 'not measured' : outcome.reached ? 'reached' : '**missed**';
    return [target.measure, target.wanted, outcome?.measured ?? '–', verdict];
  });
  return table(['Case', 'Wanted', 'Measured', ''], rows);
}

/** Says by name where another subject does as well or better, or something was lost. */
function behind(results: Results): string {
  const lines = measures.flatMap((measure) => [...behindIn(results, measure), ...lossesIn(results, measure)]);
  return lines.length === 0 ? 'In no case of this run.' : lines.join('\n');
}

function behindIn(results: Results, { name }: Measure): string[] {
  return subjects
    .filter((other) => other !== 'furrow')
    .flatMap((other) => {
      const ratio = timesAsGood(results, name, 'furrow', other);
      return ratio === undefined || ratio >= 1 ? [] : [`- \`${name}\`: ${formatRatio(ratio)} as good as ${other}`];
    });
}

function lossesIn(results: Results, { name }: Measure): string[] {
  return subjects.flatMap((subject: Subject) => {
    const lost = detailOf(results, name, subject, 'lost') ?? 0;
    return lost > 0 ? [`- \`${name}\`: ${subject} lost ${lost} events in its median run`] : [];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
