import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MeshError } from '../base/errors.js';
import type { CommonOptions } from '../program/options.js';
import type { ProgramFile } from './program-file.js';
import { pythonGuard } from './python-guard.js';

/** What is passed on to the program of every service. */
export interface ServiceFlags extends CommonOptions {
  readonly insecure: boolean;
  /** How long a service may take to stop. */
  readonly drainMs: number;
}

/** How a program is started. */
export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The command line that runs a service. Python programs are told only which service of which configuration they are,
 * because farm-ng's know no other option; `PYTHON` in the environment names their interpreter (default `python3`).
 *
 * @throws MeshError `failed-precondition` when nothing is installed that runs TypeScript
 */
export function childCommand({ file, language }: ProgramFile, serviceName: string, flags: ServiceFlags): ChildCommand {
  if (language === 'python') {
    return {
      command: process.env.PYTHON || 'python3',
      args: ['-c', pythonGuard, file, '--service-config', flags.serviceConfig, '--service-name', serviceName],
      env: { PYTHONUNBUFFERED: '1' },
    };
  }
  // The guard is compiled, or TypeScript like this file when furrow itself runs from its sources.
  const guard = new URL(`./node-guard${extname(import.meta.url)}`, import.meta.url).href;
  const loader = language === 'typescript' || guard.endsWith('.ts') ? typescriptLoader(file) : [];
  const args = [...loader, '--import', guard, file, ...serviceArgs(serviceName, flags)];
  return { command: process.execPath, args, env: {} };
}

/** The options of `serviceMain` that say the same as `flags`. */
export function serviceArgs(serviceName: string, flags: ServiceFlags): readonly string[] {
  const { serviceConfig, protos, tlsCert, tlsKey, tlsCa, json, insecure, drainMs } = flags;
  return [
    ...['--service-config', serviceConfig, '--service-name', serviceName],
    ...protos.flatMap((directory) => ['--protos', directory]),
    ...(tlsCert === undefined ? [] : ['--tls-cert', tlsCert]),
    ...(tlsKey === undefined ? [] : ['--tls-key', tlsKey]),
    ...(tlsCa === undefined ? [] : ['--tls-ca', tlsCa]),
    ...(json ? ['--json'] : []),
    ...(insecure ? ['--insecure'] : []),
    ...['--drain-ms', String(drainMs)],
  ];
}

function typescriptLoader(file: string): readonly string[] {
  for (const from of [file, import.meta.url]) {
    try {
      return ['--import', pathToFileURL(createRequire(from).resolve('tsx')).href];
    } catch {
      // Not installed there.
    }
  }
  // From Node 22.18 on, Node itself runs TypeScript.
  if ((process.features as { readonly typescript?: unknown }).typescript) return [];
  throw new MeshError(
    'failed-precondition',
    `${file} is TypeScript, and tsx, which runs it, is not installed; npm install tsx beside it, or compile it`,
  );
}
