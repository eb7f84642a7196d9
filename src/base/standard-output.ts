import { writeSync } from 'node:fs';

// How long to wait before a full pipe is tried again.
const fullMs = 10;

/**
 * Standard output, written synchronously: a reader that stalls holds the writer up instead of filling its memory, and
 * one that has gone does not crash it.
 */
export function standardOutput(): { write(text: string): void } {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let gone = false;
  return {
    write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length && !gone; ) {
        try {
          at += writeSync(1, bytes, at);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // The second is a socket's, as between two processes of Node: its reader left with something unread.
          if (code === 'EPIPE' || code === 'ECONNRESET') gone = true;
          else if (code === 'EAGAIN' || code === 'EBUSY') Atomics.wait(sleeper, 0, 0, fullMs);
          else throw error;
        }
      }
    },
  };
}
