import { Socket } from 'node:net';

/**
 * The environment of a guarded program. The descriptor is inherited, and its other end is the parent's, so that it
 * closes when the parent ends, however it ends.
 */
export const parentVariables = { descriptor: 'FURROW_PARENT_FD', limitMs: 'FURROW_PARENT_LIMIT_MS' } as const;

/**
 * Keeps a program that `furrow up` started from outliving it, even when `up` is killed: when the parent is gone, this
 * process gets SIGTERM, and SIGKILL if it is still there after the limit. Without the variables nothing is watched.
 */
export function watchParent(): void {
  const descriptor = process.env[parentVariables.descriptor];
  const limitMs = Number(process.env[parentVariables.limitMs]);
  if (descriptor === undefined) return;
  // The descriptor is this process's alone; what it starts must not take the same number for its own.
  delete process.env[parentVariables.descriptor];
  const link = new Socket({ fd: Number(descriptor), readable: true, writable: false });
  link.on('error', () => undefined);
  link.on('close', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), limitMs).unref();
  });
  link.resume();
  link.unref();
  // A parent that is gone reads no lines; that must not end this process before it has drained.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
