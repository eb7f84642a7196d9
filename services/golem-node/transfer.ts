import type { Gsb } from './gsb.js';
import type { Sandbox } from './sandbox.js';

const scheme = 'container:';
const fetchTimeoutMs = 600_000;

/**
 * Moves one file between the activity (`container:/path`) and the requestor (`gftp://…`), or into the activity from
 * the web (`http://…`, `https://…`). Throws what went wrong.
 */
export async function transfer(
  sandbox: Sandbox,
  gsb: Gsb,
  { from, to, signal, maxBytes }: { from: string; to: string; signal: AbortSignal; maxBytes: number },
): Promise<void> {
  if (to.startsWith(scheme)) {
    await sandbox.write(containerPath(to), limited(source(gsb, from, signal), { signal, maxBytes, from }));
  } else if (from.startsWith(scheme) && to.startsWith('gftp:')) {
    const content = await sandbox.read(containerPath(from));
    try {
      await gsb.upload(to, limited(content, { signal, maxBytes, from }));
    } finally {
      content.destroy();
    }
  } else {
    throw new Error(
      `this node transfers gftp, http and https to container, and container to gftp; not ${from} to ${to}`,
    );
  }
}

async function* source(gsb: Gsb, from: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (from.startsWith('gftp:')) {
    yield* gsb.download(from);
  } else if (/^https?:/.test(from)) {
    const response = await fetch(from, { signal: AbortSignal.any([signal, AbortSignal.timeout(fetchTimeoutMs)]) });
    if (!response.ok || response.body === null) throw new Error(`${from} answered ${response.status}`);
    yield* response.body;
  } else {
    throw new Error(`${from} is none of gftp, http, https`);
  }
}

async function* limited(
  chunks: AsyncIterable<Uint8Array>,
  { signal, maxBytes, from }: { signal: AbortSignal; maxBytes: number; from: string },
): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    total += chunk.length;
    if (total > maxBytes) throw new Error(`${from} is larger than ${maxBytes} bytes`);
    yield chunk;
  }
}

function containerPath(url: string): string {
  const path = url.slice(scheme.length);
  if (!path.startsWith('/')) throw new Error(`${url} needs an absolute path, such as ${scheme}/golem/work/file`);
  return path;
}
