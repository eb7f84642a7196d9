import type { Command } from 'commander';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { serviceTypes } from './service-types.js';
import { writeDocument } from './write-document.js';

interface TypesOptions {
  readonly output?: string;
}

/** `furrow types`: TypeScript for the declared paths. */
export function typesCommand(): Command {
  const command = furrowCommand(
    'types',
    'Write TypeScript for the paths that the configuration declares.\n' +
      'For each program an interface of its paths and their values, to be given to EventService<…> and EventClient<…>, and for each message its type. The text is one module.\n' +
      'With --json: one document {services: {NAME: {publishes: {PATH: TYPE}, requests: {PATH: {request, reply}}}}}.',
    'furrow types --output src/mesh-types.ts',
    'furrow types --protos protos/ > mesh-types.ts',
  ).option('-o, --output <file>', 'write to a file instead of standard output');
  return act<TypesOptions>(command, types);
}

async function types({ config, registry, options, out }: CommandContext<TypesOptions>): Promise<undefined> {
  if (!out.json) {
    await writeDocument(out, serviceTypes(config, registry), options.output);
    return undefined;
  }
  const services = config.services.map(({ name, published, requests }) => {
    const publishes = Object.fromEntries(published.map(({ path, type }) => [path, type]));
    const answers = requests.map(({ path, request, reply }) => [path, { request, reply }]);
    return [name, { publishes, requests: Object.fromEntries(answers) }];
  });
  await writeDocument(out, `${JSON.stringify({ services: Object.fromEntries(services) })}\n`, options.output);
  return undefined;
}
