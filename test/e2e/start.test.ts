import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { rootDirectory } from '../process.js';

const program = `
  import { createRequire } from 'node:module';
  import { EventClient } from 'furrow';
  const client = new EventClient({ name: 'agent-1', host: '127.0.0.1', port: 1 });
  client.close();
  console.log(Object.keys(createRequire(process.cwd() + '/').cache).join('\\n'));
`;

it('a process that only has clients loads nothing that only servers or programs need', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: rootDirectory,
  });
  const loaded = stdout.split('\n');
  expect(loaded.some((file) => file.includes('/protobufjs/'))).toBe(true);
  expect(loaded.filter((file) => /\/(@grpc|commander|pino|ws|zod)\//.test(file))).toEqual([]);
});
