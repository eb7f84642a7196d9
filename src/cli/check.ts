import type { Command } from 'commander';
import { MeshError } from '../base/errors.js';
import { checkConfig } from '../config/check.js';
import type { Finding } from '../config/finding.js';
import { exitCodes } from '../program/exit-codes.js';
import { colors } from './colors.js';
import { checkDeclaredTypes } from './declared-types.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { textTable } from './table.js';

/** `furrow check`: what is wrong with the configuration. */
export function checkCommand(): Command {
  return act(
    furrowCommand(
      'check',
      'Say what is wrong with the configuration.\n' +
        'Each finding has the JSON path of its place. Exits with 2 when there are errors; warnings alone exit with 0.\n' +
        'With --json: one document {file, services, errors, warnings, findings: [{severity, at, message}]}.',
      'furrow check',
      'furrow check --service-config robot.json --protos protos/',
    ),
    check,
  );
}

async function check(context: CommandContext<object>): Promise<number> {
  const { out, options } = context;
  const file = options.serviceConfig;
  const { findings, services } = findingsOf(context);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.length - errors;
  if (out.json) await out.value({ file, services, errors, warnings, findings });
  else {
    if (findings.length > 0) await out.line(`${findingsTable(findings, out.width)}\n`);
    const counts = `${count(services, 'service')}, ${count(errors, 'error')}, ${count(warnings, 'warning')}`;
    const mark = errors > 0 ? colors.red('✗') : colors.green('✓');
    await out.line(`${mark} ${file}: ${counts}`);
  }
  return errors > 0 ? exitCodes.usage : exitCodes.ok;
}

/** Faults of single entries keep the file from being read at all; then they are all there is to tell. */
function findingsOf(context: CommandContext<object>): { findings: readonly Finding[]; services: number } {
  try {
    const { config } = context;
    const findings = [...checkConfig(config), ...checkDeclaredTypes(config, context.registry)];
    return {
      findings: findings.toSorted((one, other) => rank(one) - rank(other)),
      services: config.services.length,
    };
  } catch (error) {
    if (!(error instanceof MeshError) || error.faults.length === 0) throw error;
    const findings = error.faults.map(({ at, message }) => ({ severity: 'error' as const, at, message }));
    return { findings, services: 0 };
  }
}

function rank({ severity }: Finding): number {
  return severity === 'error' ? 0 : 1;
}

function findingsTable(findings: readonly Finding[], width: number): string {
  const longest = Math.max(...findings.map(({ at }) => at.length), 5);
  const atWidth = Math.min(longest, 36);
  return textTable(
    ['', 'where', 'what'],
    findings.map(({ severity, at, message }) => [
      severity === 'error' ? colors.red('error') : colors.yellow('warning'),
      at,
      message,
    ]),
    { widths: [7, atWidth, Math.max(30, width - atWidth - 11)] },
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
