import { EventFileWriter, type SyncMode } from '../../src/recording/event-file-writer.js';
import { samples } from './samples.js';

/* Writes events, for ever or until it has written enough, and prints the count that was acknowledged after each write. */

const [base = '', sync = 'each', most = 'Infinity'] = process.argv.slice(2);
const writer = await EventFileWriter.open(base, { sync: sync as SyncMode, maxFileMb: 0.02 });
const batch = 7;
for (let count = 0; count < Number(most); count += batch) {
  await writer.write(samples(batch, { sequence: count, atS: 100 + count / 10 }));
  // A pipe of a process that is killed keeps what was written to it; a full one makes us wait.
  if (!process.stdout.write(`${count + batch}\n`))
    await new Promise((drained) => process.stdout.once('drain', drained));
}
// Never closed: it waits for its end.
setInterval(() => undefined, 60_000);
