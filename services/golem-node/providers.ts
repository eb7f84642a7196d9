import { createHash } from 'node:crypto';
import type { Properties } from './constraints.js';

/** A provider of the local market. Prices are in GLM. */
export interface ProviderConfig {
  readonly name: string;
  /** Once for each activity. Default 0. */
  readonly startPrice?: number;
  /** For each hour that its commands run. Default 0.1. */
  readonly cpuPerHour?: number;
  /** For each hour of an activity. Default 0.02. */
  readonly envPerHour?: number;
  /** Default 4. */
  readonly cores?: number;
  /** Default 8. */
  readonly memGib?: number;
  /** Default 20. */
  readonly storageGib?: number;
  /** How long it thinks before it answers a proposal or an agreement. Default 10. */
  readonly negotiationMs?: number;
  /** What it adds to the creation of an activity and to each batch. Default 0. */
  readonly latencyMs?: number;
  /** Share of agreements that it approves, from 0 to 1. Default 1. */
  readonly reliability?: number;
  /** Agreements at one time. Default 10. */
  readonly maxAgreements?: number;
  /** Further properties of its offer; they replace the usual ones of the same name. */
  readonly properties?: Properties;
  /** What it demands of a demand. Default nothing. */
  readonly constraints?: string;
}

export type Provider = Required<ProviderConfig> & {
  /** Made from the name, so that a provider is the same one after a restart. */
  readonly id: string;
};

/** A cheap one that often changes its mind, a quick and dear one, and some between. */
export const defaultProviders: readonly ProviderConfig[] = [
  { name: 'meadow', cpuPerHour: 0.1, envPerHour: 0.02, negotiationMs: 10 },
  { name: 'orchard', startPrice: 0.001, cpuPerHour: 0.12, envPerHour: 0.03, negotiationMs: 20, cores: 8, memGib: 16 },
  { name: 'thicket', cpuPerHour: 0.04, envPerHour: 0.01, negotiationMs: 60, latencyMs: 50, reliability: 0.8 },
  { name: 'greenhouse', startPrice: 0.01, cpuPerHour: 0.4, envPerHour: 0.1, negotiationMs: 2, cores: 16, memGib: 64 },
];

export function provider(config: ProviderConfig): Provider {
  return {
    startPrice: 0,
    cpuPerHour: 0.1,
    envPerHour: 0.02,
    cores: 4,
    memGib: 8,
    storageGib: 20,
    negotiationMs: 10,
    latencyMs: 0,
    reliability: 1,
    maxAgreements: 10,
    properties: {},
    constraints: '',
    ...config,
    id: addressOf(config.name),
  };
}

/** Something that looks like an Ethereum address. */
export function addressOf(name: string): string {
  return `0x${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

const usageVector = ['golem.usage.duration_sec', 'golem.usage.cpu_sec'] as const;

/** Prices a second in the order of {@link usageVector}, then the price of a start. */
export function coefficients({ envPerHour, cpuPerHour, startPrice }: Provider): number[] {
  return [envPerHour / 3600, cpuPerHour / 3600, startPrice];
}

/** The offer's properties. The subnet is the one the demand asks for: this market has no other one. */
export function offerProperties(source: Provider, subnet: unknown, platforms: readonly string[]): Properties {
  return {
    'golem.node.id.name': source.name,
    'golem.node.debug.subnet': subnet ?? 'public',
    'golem.node.net.is-public': false,
    'golem.activity.caps.transfer.protocol': ['http', 'https', 'gftp'],
    'golem.com.pricing.model': 'linear',
    'golem.com.pricing.model.linear.coeffs': coefficients(source),
    'golem.com.scheme': 'payu',
    'golem.com.usage.vector': [...usageVector],
    'golem.com.payment.protocol.version': 2,
    ...Object.fromEntries(platforms.map((name) => [`golem.com.payment.platform.${name}.address`, source.id])),
    'golem.inf.cpu.architecture': process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    'golem.inf.cpu.cores': source.cores,
    'golem.inf.cpu.threads': source.cores,
    'golem.inf.mem.gib': source.memGib,
    'golem.inf.storage.gib': source.storageGib,
    'golem.runtime.name': 'vm',
    'golem.runtime.version': '0.3.0',
    'golem.runtime.capabilities': ['vpn'],
    'golem.srv.caps.multi-activity': true,
    ...source.properties,
  };
}
