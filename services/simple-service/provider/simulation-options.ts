import { type Command, InvalidArgumentError, Option } from 'commander';

/** How observations are made up. */
export interface SimulationOptions {
  /** Observations a second, up to 1000. Default 1. */
  readonly rateHz: number;
  /** Mean of the normal distribution. Default 14. */
  readonly mean: number;
  /** Its standard deviation. Default 3. */
  readonly deviation: number;
}

/** Adds `--rate-hz`, `--mean` and `--deviation`. */
export function withSimulationOptions(program: Command): Command {
  return program
    .addOption(new Option('--rate-hz <N>', 'observations a second').argParser(rate).default(1))
    .addOption(new Option('--mean <N>', 'mean of the normal distribution').argParser(finite).default(14))
    .addOption(new Option('--deviation <N>', 'its standard deviation').argParser(deviation).default(3));
}

/** The options as arguments of another process. */
export function simulationArguments({ rateHz, mean, deviation }: SimulationOptions): string[] {
  return ['--rate-hz', String(rateHz), '--mean', String(mean), '--deviation', String(deviation)];
}

function finite(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('It is a finite number.');
  return value;
}

function rate(text: string): number {
  const value = finite(text);
  if (value <= 0 || value > 1000) throw new InvalidArgumentError('It is above 0 and at most 1000.');
  return value;
}

function deviation(text: string): number {
  const value = finite(text);
  if (value < 0) throw new InvalidArgumentError('It is 0 or more.');
  return value;
}
