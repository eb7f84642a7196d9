#!/usr/bin/env node
import { Command } from 'commander';
import { furrowVersion } from '../mesh/version.js';
import { exitForUsage } from './command.js';

const program = new Command('furrow')
  .description('Run, watch and try a mesh of event services.')
  .version(furrowVersion())
  .showSuggestionAfterError()
  .exitOverride(exitForUsage);

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up.js')).upCommand(),
  run: async () => (await import('./run.js')).runCommand(),
  check: async () => (await import('./check.js')).checkCommand(),
  graph: async () => (await import('./graph.js')).graphCommand(),
  ls: async () => (await import('./ls.js')).lsCommand(),
  echo: async () => (await import('./echo.js')).echoCommand(),
  hz: async () => (await import('./hz.js')).hzCommand(),
  bw: async () => (await import('./bw.js')).bwCommand(),
  delay: async () => (await import('./delay.js')).delayCommand(),
  req: async () => (await import('./req.js')).reqCommand(),
  pub: async () => (await import('./pub.js')).pubCommand(),
  convert: async () => (await import('./convert.js')).convertCommand(),
  info: async () => (await import('./info.js')).infoCommand(),
  verify: async () => (await import('./verify.js')).verifyCommand(),
  cut: async () => (await import('./cut.js')).cutCommand(),
  merge: async () => (await import('./merge.js')).mergeCommand(),
  record: async () => (await import('./record.js')).recordCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
  foxglove: async () => (await import('./foxglove.js')).foxgloveCommand(),
  play: async () => (await import('./play.js')).playCommand(),
  golem: async () => (await import('./golem.js')).golemCommand(),
  types: async () => (await import('./types.js')).typesCommand(),
};

// Loading what other commands need would make `up` half a second slower; help and typos need the names of all.
const [, , asked = ''] = process.argv;
const needed = Object.entries(commands).filter(([name]) => name === asked);
const needsNone = asked === '--version' || asked === '-V';
for (const [, load] of needed.length > 0 || needsNone ? needed : Object.entries(commands))
  program.addCommand(await load());

await program.parseAsync();
