import { mkdir } from 'node:fs/promises';
import { arg, loadConfig, MeshError, serviceMain } from 'furrow';
import { defaultProfile, findProfile, headerEvent, profileOfRequest } from 'furrow/recording';
import { RecorderDesk } from './recorder/desk.js';
import { progressType } from './recorder/progress.js';

const stringType = 'google.protobuf.StringValue';
const annotationType = 'farm_ng.core.proto.RecorderAnnotation';

/*
 * The recorder: sleeps until it is asked to record, as farm-ng's does.
 *
 *   /start/PROFILE   an EventServiceConfigList that holds the profile (else it is taken from the profiles file) or a
 *                    single EventServiceConfig → StringValue, what the names of the files begin with
 *   /stop            → Empty, when the files are complete
 *   /header/NAME     any message: stands at the start of each file from now on
 *   /clear_headers
 *   /annotate        RecorderAnnotation: written, and published on /annotation
 *   /status          → furrow.RecorderProgress, as published on /progress once a second
 */
await serviceMain({
  args: {
    data_dir: arg.string({ default: 'recordings', description: 'folder of the recordings' }),
    max_file_mb: arg.number({ min: 0.001, unit: 'MB', optional: true, description: 'when a new file starts' }),
    min_free_mb: arg.number({ min: 0, unit: 'MB', default: 100, description: 'when a recording stops' }),
    profiles: arg.string({ optional: true, description: 'a configuration with the profiles and their services' }),
    format: arg.string({ choices: ['bin', 'mcap'], default: 'bin' }),
    sync: arg.string({ choices: ['none', 'interval', 'each'], default: 'interval' }),
  },

  async run({ service, mesh, meshConfig, args, logger, signal }) {
    await mkdir(args.data_dir, { recursive: true });
    const { data_dir: dataDir, min_free_mb: minFreeMb, max_file_mb: maxFileMb, format, sync } = args;
    const limits = { minFreeMb, ...(maxFileMb === undefined ? {} : { maxFileMb }) };
    const desk = new RecorderDesk({ service, mesh, logger, dataDir, format, sync, ...limits });
    const profilesFile = args.profiles;

    const profileOf = (path: string, message: unknown) => {
      const name = decodeName(path, '/start') || defaultProfile;
      if (isStated(message)) return profileOfRequest(message, name, meshConfig);
      return findProfile(profilesFile === undefined ? meshConfig : loadConfig(profilesFile), name);
    };
    for (const path of ['/start', '/start/*']) {
      service.onRequest(path, (message, context) => desk.start(profileOf(context.path, message)), {
        reply: stringType,
      });
    }
    service.onRequest('/stop', () => desk.stop());
    service.onRequest('/header/*', (_, { event, path }) => {
      if (decodeName(path, '/header') === '') throw new MeshError('invalid-argument', 'name the header: /header/NAME');
      const { host } = service.clock;
      return desk.addHeader(headerEvent(event, { path, host, service: service.name, registry: service.registry }));
    });
    service.onRequest('/clear_headers', () => desk.clearHeaders());
    service.onRequest('/annotate', (annotation: unknown) => desk.annotate(annotation), { request: annotationType });
    service.onRequest('/status', () => desk.progress(), { reply: progressType });

    await service.start();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await desk.stop();
  },
});

/** What follows `prefix` in a path; empty when nothing does. */
function decodeName(path: string, prefix: string): string {
  return path.slice(prefix.length).replace(/^\//, '');
}

/** Whether a request carries a configuration: farm-ng's clients send an empty list for "you know". */
function isStated(message: unknown): message is object {
  if (typeof message !== 'object' || message === null || message instanceof Uint8Array) return false;
  const { configs, name } = message as { configs?: unknown[]; name?: string };
  return (configs !== undefined && configs.length > 0) || (name !== undefined && name !== '');
}
