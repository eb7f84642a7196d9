import { expect, test } from 'vitest';
import { rootDirectory, TestProcess } from '../process.js';

const lines = 2000;
const program = `
  import { standardOutput } from '${rootDirectory}dist/src/base/standard-output.js';
  const output = standardOutput();
  output.write('begin\\n');
  for (let line = 0; line < ${lines}; line++) output.write(line + ' ' + 'ü'.repeat(500) + '\\n');
  console.error('done');
`;

const start = () => new TestProcess(process.execPath, ['--input-type=module', '-e', program]);

test('a reader that stalls holds the writer up, and gets everything', async () => {
  await using writer = start();
  writer.readOutput(false);
  // More than fits on the way: it cannot be done.
  await expect(writer.line(/done/, { timeoutMs: 500 })).rejects.toThrow('printed no');
  writer.readOutput(true);
  expect(await writer.ended()).toEqual({ code: 0, signal: null });
  const written = writer.lines.filter((line) => line !== 'done');
  const expected = Array.from({ length: lines }, (_, line) => `${line} ${'ü'.repeat(500)}`);
  expect(written).toEqual(['begin', ...expected]);
});

test('a reader that has gone does not end the writer', async () => {
  await using writer = start();
  await writer.line(/begin/);
  writer.closeOutput();
  await writer.line(/done/);
  expect(await writer.ended()).toEqual({ code: 0, signal: null });
});
