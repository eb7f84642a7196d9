import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { badRequest } from './problem.js';

/** A file or folder of this machine that an image shows at a path of its own, read-only. */
export interface ImageMount {
  /** Absolute path on this machine. */
  readonly from: string;
  /** Absolute path inside. */
  readonly to: string;
}

/**
 * What stands in for a Golem image. Its commands see the programs of this machine (`/usr` and the like), their own
 * `/golem` and `/tmp`, and the mounts.
 */
export interface LocalImage {
  /** Name in the registry, such as `golem/alpine:latest`. */
  readonly tag: string;
  /** SHA3-224 that a demand names it by. Made from the tag by default. */
  readonly hash?: string;
  readonly mounts?: readonly ImageMount[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where commands start. Default `/golem/work`. */
  readonly workdir?: string;
}

export type Image = Required<LocalImage>;

/** The images this node knows. Any other name gets one without mounts, since nothing is ever fetched. */
export class Images {
  readonly #byTag: ReadonlyMap<string, Image>;
  readonly #byHash: Map<string, Image>;
  readonly #mostImages: number;

  constructor(images: readonly LocalImage[]) {
    const complete = images.map(image);
    for (const { tag, mounts } of complete) {
      for (const { from, to } of mounts) {
        if (!to.startsWith('/') || to.split('/').includes('..')) {
          throw badRequest(`image ${tag}: mount target ${to} must be absolute and without ".."`);
        }
        if (!existsSync(from)) throw badRequest(`image ${tag}: ${from} does not exist`);
      }
    }
    this.#byTag = new Map(complete.map((one) => [one.tag, one]));
    this.#byHash = new Map(complete.map((one) => [one.hash, one]));
    this.#mostImages = complete.length + 1000;
  }

  byTag(tag: string): Image {
    const known = this.#byTag.get(tag) ?? image({ tag });
    // So that events can name it when a demand comes with its hash.
    if (this.#byHash.size < this.#mostImages) this.#byHash.set(known.hash, known);
    return known;
  }

  byHash(hash: string): Image {
    return this.#byHash.get(hash) ?? image({ tag: `unknown:${hash}`, hash });
  }

  /** The image that a demand's `golem.srv.comp.task_package` names: `hash:sha3:<hash>:<url>`. */
  ofPackage(taskPackage: unknown): Image {
    const hash = /^hash:sha3:([0-9a-f]+):/i.exec(String(taskPackage ?? ''))?.[1];
    return hash === undefined ? image({ tag: 'none' }) : this.byHash(hash.toLowerCase());
  }
}

function image(config: LocalImage): Image {
  const hash = (config.hash ?? createHash('sha3-224').update(config.tag).digest('hex')).toLowerCase();
  return { mounts: [], env: {}, workdir: '/golem/work', ...config, hash };
}
