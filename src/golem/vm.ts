import { MeshError } from '../base/errors.js';
import type { DemandBuilder } from './demand-builder.js';
import { type RepositoryOptions, resolveImage, resolveRepoSrv } from './image-repository.js';
import { Inf, Runtime, VmRequest } from './models.js';
import type { Payload } from './payload.js';

export interface VmRepoOptions {
  /** SHA3-224 of the image, hex. */
  readonly imageHash?: string;
  /** `golem/alpine:latest`, instead of a hash. */
  readonly imageTag?: string;
  /** Where the image lies. With it (and imageHash) no registry is asked. */
  readonly imageUrl?: string;
  /** Default 0.5. */
  readonly minMemGib?: number;
  /** Default 2. */
  readonly minStorageGib?: number;
  /** Default 1. */
  readonly minCpuThreads?: number;
  /** `vpn`, `inet`, … Default none. */
  readonly capabilities?: readonly string[];
  /** Default `GOLEM_REGISTRY_URL`, else `https://registry.golem.network`. */
  readonly registryUrl?: string;
  /** SRV record of a registry, asked first; then registryUrl is the fallback. */
  readonly registrySrv?: string;
  /** For tests. */
  readonly repository?: RepositoryOptions;
}

/** An image for the VM runtime. Errors: `invalid-argument` for what can be seen at once, else at the first demand. */
function repo(options: VmRepoOptions): Payload {
  const { imageHash, imageTag, imageUrl, minMemGib = 0.5, minStorageGib = 2, minCpuThreads = 1 } = options;
  if (!imageHash && !imageTag) {
    throw new MeshError('invalid-argument', 'vm.repo needs an imageHash or an imageTag');
  }
  if (imageHash && !/^[0-9a-f]{56}$/i.test(imageHash)) {
    throw new MeshError('invalid-argument', `vm.repo: imageHash "${imageHash}" is no SHA3-224 hash (56 hex digits)`);
  }
  if (imageUrl && !imageHash) {
    throw new MeshError('invalid-argument', 'vm.repo: an imageUrl needs its imageHash');
  }
  let packageUrl: Promise<string> | undefined;
  const resolve = async () => {
    if (imageUrl) return `hash:sha3:${imageHash}:${imageUrl}`;
    const { registrySrv, repository } = options;
    let registry = options.registryUrl ?? process.env.GOLEM_REGISTRY_URL ?? 'https://registry.golem.network';
    if (registrySrv) registry = await resolveRepoSrv(registrySrv, { fallbackUrl: registry, ...repository });
    return resolveImage(registry, { imageHash, imageTag }, repository);
  };
  return {
    async decorateDemand(demand: DemandBuilder): Promise<void> {
      packageUrl ??= resolve();
      // A registry that was away is asked again by the next demand.
      packageUrl.catch(() => {
        packageUrl = undefined;
      });
      demand.add(VmRequest.of({ packageUrl: await packageUrl, packageFormat: 'gvmkit-squash' }));
      demand.ensure(`(${Runtime.keys.name}=vm)`);
      demand.ensure(`(${Inf.keys.memGib}>=${minMemGib})`);
      demand.ensure(`(${Inf.keys.storageGib}>=${minStorageGib})`);
      demand.ensure(`(${Inf.keys.cpuThreads}>=${minCpuThreads})`);
      for (const capability of options.capabilities ?? []) {
        demand.ensure(`(${Runtime.keys.capabilities}=${capability})`);
      }
    },
  };
}

/** Payloads for the VM runtime: `vm.repo({ imageHash, minMemGib, minStorageGib })`. */
export const vm = { repo } as const;
