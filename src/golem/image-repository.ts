import { resolveSrv } from 'node:dns/promises';
import { MeshError } from '../base/errors.js';
import { PackageException } from './errors.js';

export interface RepositoryOptions {
  /** Replaces the DNS look-up. */
  readonly resolve?: (name: string) => Promise<readonly { readonly name: string; readonly port: number }[]>;
  /** Asked after the addresses of the record, and alone when there is no record. */
  readonly fallbackUrl?: string;
  /** Replaces `fetch`. */
  readonly fetch?: typeof fetch;
  /** For each address. Default 5000. */
  readonly timeoutMs?: number;
}

/**
 * The address of an image repository by its SRV record, the first that answers; the fallback when none of the
 * record does. Errors: PackageException when nothing answers at all.
 */
export async function resolveRepoSrv(record: string, options: RepositoryOptions = {}): Promise<string> {
  const { fallbackUrl, timeoutMs = 5000 } = options;
  const ask = options.fetch ?? fetch;
  const found = await (options.resolve ?? resolveSrv)(record).catch(() => []);
  const urls = found.map(({ name, port }) => `http://${name}:${port}`);
  if (fallbackUrl !== undefined) urls.push(fallbackUrl);
  const failures: string[] = [];
  for (const url of urls) {
    try {
      // Whatever the status, it is there.
      await ask(url, { method: 'HEAD', signal: AbortSignal.timeout(timeoutMs) });
      return url;
    } catch (error) {
      failures.push(`${url}: ${MeshError.from(error).message}`);
    }
  }
  throw new PackageException(
    `No image repository answered for ${record}: ${failures.join('; ') || 'the record names none'}`,
  );
}

export interface ImageQuery {
  readonly imageHash?: string | undefined;
  readonly imageTag?: string | undefined;
}

/** Asks a registry where an image lies: `hash:sha3:<hash>:<url>`. Errors: PackageException. */
export async function resolveImage(
  registryUrl: string,
  { imageHash, imageTag }: ImageQuery,
  options: Pick<RepositoryOptions, 'fetch' | 'timeoutMs'> = {},
): Promise<string> {
  const query = imageTag ? `tag=${encodeURIComponent(imageTag)}` : `hash=${imageHash}`;
  const url = `${registryUrl.replace(/\/+$/, '')}/v1/image/info?count=true&${query}`;
  const fail = (why: string, cause?: unknown) =>
    new PackageException(
      `The image registry ${registryUrl} does not give ${imageTag ?? imageHash}: ${why}; an imageUrl with its imageHash needs no registry`,
      { cause },
    );
  let answer: { sha3?: string; http?: string };
  try {
    const response = await (options.fetch ?? fetch)(url, { signal: AbortSignal.timeout(options.timeoutMs ?? 10_000) });
    if (!response.ok) throw fail(`status ${response.status}: ${(await response.text()).slice(0, 200)}`);
    answer = (await response.json()) as typeof answer;
  } catch (error) {
    throw error instanceof PackageException ? error : fail(MeshError.from(error).message, error);
  }
  if (!answer.sha3 || !answer.http) throw fail('its answer has no sha3 or http');
  return `hash:sha3:${answer.sha3}:${answer.http}`;
}
