import { createInterface } from 'node:readline';
import { EventService } from '../../src/index.js';

/*
 * A service in a process of its own, to be killed: `node dist/test/mesh/service-process.js PORT`. It prints its port, then
 * publishes `{"path", "value", "latch"?}` for each line that comes and prints the sequence. /count keeps a history of 5,
 * /map is latched, /plain is neither; /echo answers requests with what
 * it is sent, /never does not answer.
 */
const path = (name: string, history: number, latch: boolean) => ({
  path: name,
  type: 'google.protobuf.Int32Value',
  pb: 'google/protobuf/wrappers.proto',
  history,
  latch,
});

const service = new EventService({
  name: 'agent-1',
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  subscriptions: [],
  published: [path('/count', 5, false), path('/map', 0, true), path('/plain', 0, false)],
  requests: [],
  args: [],
  logLevel: 'info',
});
const type = 'google.protobuf.Int32Value';
service.onRequest('/echo', (value) => value, { request: type, reply: type });
service.onRequest('/never', () => new Promise(() => undefined), { request: type, reply: type });
await service.start();
console.log(service.port);
for await (const line of createInterface({ input: process.stdin })) {
  const { path, value, latch } = JSON.parse(line);
  const { sequence } = await service.publish(path, value, { type, ...(latch === undefined ? {} : { latch }) });
  console.log(sequence);
}
service.close();
