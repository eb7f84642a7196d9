import { arg, parseArgs } from '../base/args.js';
import { MeshError } from '../base/errors.js';
import { formatConfig } from '../config/format.js';
import { parseConfig } from '../config/load.js';
import { findService } from '../config/service.js';
import type { MeshConfig, SubscriptionConfig } from '../config/types.js';

/** What is to be recorded of which mesh. */
export interface RecordingProfile {
  readonly name: string;
  /** Where the services are. */
  readonly config: MeshConfig;
  readonly subscriptions: readonly SubscriptionConfig[];
  /** A new file starts when one is longer than so many million bytes: the profile's arg `--max-file-mb=N`. */
  readonly maxFileMb?: number;
}

/** Name of the profile that farm-ng's recorder takes when none is named. */
export const defaultProfile = 'record_default';

/**
 * The profile of that name in a configuration: an entry whose subscriptions are recorded, usually one without a port.
 * Errors: `not-found`, with a suggestion; `failed-precondition` for an entry that subscribes to nothing or to a service
 * without a port; `invalid-argument` for a `max-file-mb` that is no number above 0.
 */
export function findProfile(config: MeshConfig, name: string): RecordingProfile {
  const { subscriptions, args } = findService(config, name);
  const at = `${config.file}: ${name}`;
  if (subscriptions.length === 0) {
    throw new MeshError('failed-precondition', `${at} has no subscriptions, so there is nothing to record`);
  }
  for (const { publisher } of subscriptions) {
    if (findService(config, publisher).port === undefined) {
      throw new MeshError('failed-precondition', `${at} subscribes to "${publisher}", which has no port`);
    }
  }
  // The rest is for whatever program the entry is of.
  const ours = args.flatMap((text, index) =>
    isMaxFileMb(text) ? args.slice(index, text.includes('=') ? index + 1 : index + 2) : [],
  );
  const { maxFileMb } = parseArgs(ours, { maxFileMb: arg.number({ min: 0.001, unit: 'MB', optional: true }) }, { at });
  return { name, config, subscriptions, ...(maxFileMb === undefined ? {} : { maxFileMb }) };
}

/**
 * The profile in a request to a recorder: a configuration that repeats the services (`{configs}`), with the profile
 * `name`; or a single entry, whose subscriptions name services of `own`. `message` is the natural value of an
 * EventServiceConfigList or EventServiceConfig. Errors: `invalid-argument` with every fault of it; as `findProfile`.
 */
export function profileOfRequest(message: object, name: string, own: MeshConfig): RecordingProfile {
  const file = 'the request';
  if ('configs' in message) return findProfile(parseConfig(JSON.stringify(message), file), name);
  const services = (JSON.parse(formatConfig(own)) as { configs: { name: string }[] }).configs;
  const stated = (message as { name?: string }).name ?? '';
  const taken = services.some((service) => service.name === stated);
  const entry = { ...message, name: taken ? `request/${stated}` : stated, port: 0 };
  return findProfile(parseConfig(JSON.stringify({ configs: [...services, entry] }), file), entry.name);
}

function isMaxFileMb(text: string): boolean {
  return /^(--)?max[-_]file[-_]mb(=|$)/.test(text);
}
