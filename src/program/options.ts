import type { Command } from 'commander';
import type { TlsFiles } from '../wire/credentials.js';

/** What every program and command of furrow takes. */
export interface CommonOptions {
  /** Path of the configuration. */
  readonly serviceConfig: string;
  readonly json: boolean;
  readonly protos: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

/** Adds the options of `CommonOptions` to a command. */
export function addCommonOptions(command: Command): Command {
  return command
    .option('-c, --service-config <file>', 'the mesh', 'service_config.json')
    .option('--protos <directory>', 'more message types; can be given several times', collect, [])
    .option('--tls-cert <file>', 'certificate of this end, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--tls-ca <file>', 'authority that signed the certificates of the other ends, PEM')
    .option('--json', 'JSON lines instead of readable ones', false);
}

/** The TLS files that the options name; nothing without any. */
export function tlsOf({ tlsCert, tlsKey, tlsCa }: CommonOptions): { tls?: TlsFiles } {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return {};
  return {
    tls: {
      ...(tlsCert === undefined ? {} : { cert: tlsCert }),
      ...(tlsKey === undefined ? {} : { key: tlsKey }),
      ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    },
  };
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
