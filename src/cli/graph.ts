import { extname } from 'node:path';
import { type Command, Option } from 'commander';
import { meshGraph } from '../config/graph.js';
import { renderDot } from '../config/render-dot.js';
import { renderMermaid } from '../config/render-mermaid.js';
import { renderSvg } from '../config/render-svg.js';
import { act, type CommandContext, furrowCommand } from './furrow-command.js';
import { writeDocument } from './write-document.js';

const renderers = { mermaid: renderMermaid, dot: renderDot, svg: renderSvg };

interface GraphOptions {
  readonly format?: keyof typeof renderers;
  readonly output?: string;
}

/** `furrow graph`: the configuration as a drawing. */
export function graphCommand(): Command {
  const command = furrowCommand(
    'graph',
    'Draw the configuration.\n' +
      'Services, the paths they declare, and who listens to whom.\n' +
      'With --json: one document {services, paths, types, edges}.',
    'furrow graph --output mesh.svg',
    'furrow graph --format dot | dot -Tpng > mesh.png',
  )
    .addOption(
      new Option('--format <format>', 'mermaid, dot or svg (default: what --output ends in, else mermaid)').choices(
        Object.keys(renderers),
      ),
    )
    .option('-o, --output <file>', 'write to a file instead of standard output');
  return act<GraphOptions>(command, graph);
}

async function graph({ config, options, out }: CommandContext<GraphOptions>): Promise<undefined> {
  const mesh = meshGraph(config);
  const { output } = options;
  const text = out.json ? `${JSON.stringify(mesh)}\n` : renderers[options.format ?? formatOf(output)](mesh);
  await writeDocument(out, text, output);
  return undefined;
}

function formatOf(output = ''): keyof typeof renderers {
  const extension = extname(output).toLowerCase();
  if (extension === '.svg') return 'svg';
  return extension === '.dot' || extension === '.gv' ? 'dot' : 'mermaid';
}
