import { Command } from 'commander';
import { wholeNumber } from '../cli/option-values.js';
import { exitCodes } from './exit-codes.js';
import { addCommonOptions, type CommonOptions } from './options.js';

/** The command line of a service's program. */
export interface ServiceOptions extends CommonOptions {
  readonly serviceName: string;
  readonly insecure: boolean;
  readonly drainMs: number;
}

/** Reads this process's command line. Ends the process where that is wrong, or asks for help. */
export function parseServiceOptions(): ServiceOptions {
  const command = addCommonOptions(new Command())
    .requiredOption('-n, --service-name <name>', 'which entry of the configuration this process is')
    .option('--insecure', 'serve plain text to other machines, too', false)
    .option('--drain-ms <ms>', 'how long stopping may take', wholeNumber(), 5000)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage));
  return command.parse().opts<ServiceOptions>();
}
