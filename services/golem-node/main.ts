import { Command, InvalidArgumentError } from 'commander';
import { readNodeOptions } from './node-options.js';
import { messageOf } from './problem.js';
import { startGolemNode } from './start-golem-node.js';

interface Arguments {
  readonly host?: string;
  readonly port?: number;
  readonly folder?: string;
  readonly config?: string;
  readonly isolation?: 'namespaces' | 'paths';
}

const program = new Command('golem-node')
  .description('A local stand-in for a Golem daemon, with providers of its own. It runs commands with your rights.')
  .option('--host <address>', 'loopback address to listen on')
  .option('--port <number>', 'port to listen on; any free one by default', portNumber)
  .option('--folder <path>', 'where the folders of activities are made')
  .option('--isolation <kind>', '"namespaces" or "paths"; the first where it works by default')
  .option('--config <file>', 'JSON file with providers, images, faults and limits')
  .allowExcessArguments(false);

const { config, ...given } = program.parse().opts<Arguments>();

try {
  const fromFile = config === undefined ? {} : readNodeOptions(config);
  // Not an argument: the list of processes shows those to everybody.
  const key = process.env.GOLEM_NODE_APPKEY;
  const node = await startGolemNode({ ...fromFile, ...given, ...(key ? { appKey: key } : {}) });
  process.stderr.write(`${node.notice}\n`);
  process.stdout.write(
    `export YAGNA_API_URL=${node.url}\nexport YAGNA_APPKEY=${node.appKey}\nexport GOLEM_REGISTRY_URL=${node.url}\n`,
  );
  const stop = () => void node.close().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
} catch (error) {
  process.stderr.write(`golem-node: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('It is a port.');
  return port;
}
