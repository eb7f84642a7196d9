import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { ChildCommand } from './child-command.js';
import { parentVariables } from './parent-watch.js';

/**
 * Starts a program that ends with us. It leads a process group of its own, so that the terminal's Ctrl-C reaches only
 * us, who pass it on in order, and a signal to the group reaches whatever the program has started itself.
 *
 * @param output where its standard output and error go
 * @param limitMs how long it may take to end by itself when we are gone
 */
export function spawnGuarded(
  { command, args, env }: ChildCommand,
  output: 'pipe' | 'inherit',
  limitMs: number,
): ChildProcess {
  const stdio: StdioOptions = ['ignore', output, output, 'pipe'];
  const variables = { [parentVariables.descriptor]: '3', [parentVariables.limitMs]: String(limitMs) };
  const child = spawn(command, args, { detached: true, stdio, env: { ...process.env, ...env, ...variables } });
  // The link that tells the program of our end carries nothing, but only what is read is seen to close.
  const link = child.stdio[3] as Socket | null;
  link?.on('error', () => undefined).resume();
  return child;
}
