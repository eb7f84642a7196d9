import { join } from 'node:path';
import { checkConfig, loadConfig, parseConfig } from 'furrow';
import { describe, expect, it } from 'vitest';
import { everyPath, namedPaths } from '../../src/recording/recorded-paths.js';
import { recordingName } from '../../src/recording/recording-name.js';
import { defaultProfile, findProfile, profileOfRequest } from '../../src/recording/recording-profile.js';
import { TestClock } from '../../src/testing/index.js';
import { rootDirectory } from '../process.js';

const subscribe = (path: string, service: string) => ({ uri: { path, query: `service_name=${service}` } });

const config = parseConfig(
  JSON.stringify({
    configs: [
      { name: 'gps', port: 5001 },
      { name: 'oak/0', port: 5001 },
      {
        name: 'record_default',
        args: ['--max-file-mb=500'],
        subscriptions: [subscribe('*', 'gps'), subscribe('/rgb', 'oak/0')],
      },
      { name: 'record_two', args: ['--max-file-mb', '0.5', 'other=1'], subscriptions: [subscribe('/pvt', 'gps')] },
      { name: 'empty' },
      { name: 'odd', args: ['--max-file-mb=big'], subscriptions: [subscribe('/pvt', 'gps')] },
      { name: 'loop', subscriptions: [subscribe('*', 'empty')] },
    ],
  }),
  'profiles.json',
);

const edges = (profile: ReturnType<typeof findProfile>) =>
  profile.subscriptions.map(({ publisher, path }) => `${publisher} ${path}`);

describe('a profile', () => {
  it('is an entry with subscriptions; its size of files is read whatever else its args say', () => {
    const profile = findProfile(config, defaultProfile);
    expect(edges(profile)).toEqual(['gps *', 'oak/0 /rgb']);
    expect(profile).toMatchObject({ name: 'record_default', maxFileMb: 500, config });
    expect(findProfile(config, 'record_two')).toMatchObject({ maxFileMb: 0.5 });
  });

  it.each([
    ['record_defualt', 'not-found', /did you mean "record_default"/],
    ['empty', 'failed-precondition', /no subscriptions/],
    ['loop', 'failed-precondition', /"empty", which has no port/],
    ['odd', 'invalid-argument', /max_file_mb=big is not a number/],
  ])('%s is refused', (name, code, message) => {
    expect(() => findProfile(config, name)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  it('comes in a request with its own services', () => {
    const list = {
      configs: [
        { name: 'far', host: '192.0.2.7', port: 6001, logLevel: 'INFO', args: [], uris: [], subscriptions: [] },
        {
          name: 'mine',
          host: '',
          port: 0,
          logLevel: 'NOTSET',
          args: [],
          uris: [],
          subscriptions: [{ ...subscribe('*', 'far'), everyN: 3 }],
        },
      ],
    };
    const profile = profileOfRequest(list, 'mine', config);
    expect(profile.subscriptions).toMatchObject([{ publisher: 'far', path: '*', everyN: 3 }]);
    expect(profile.config.services[0]).toMatchObject({ host: '192.0.2.7', port: 6001 });
    expect(() => profileOfRequest(list, 'other', config)).toThrow(/"other" is not in the request/);
    expect(() => profileOfRequest({ configs: [{ name: 'a b' }] }, 'a b', config)).toThrow(/cannot be a service's name/);
  });

  it("comes as a single entry that names the recorder's own services, whatever it is called", () => {
    for (const name of ['field', 'gps']) {
      const profile = profileOfRequest(
        { name, port: 0, subscriptions: [subscribe('/rgb', 'oak/0')] },
        defaultProfile,
        config,
      );
      expect(edges(profile)).toEqual(['oak/0 /rgb']);
    }
    const far = { name: 'field', subscriptions: [subscribe('/rgb', 'oak/9')] };
    expect(() => profileOfRequest(far, defaultProfile, config)).toThrow(
      /publisher "oak\/9" is not in this file; did you mean/,
    );
  });
});

describe('recorder_config.json', () => {
  const shipped = loadConfig(join(rootDirectory, 'recorder_config.json'));
  const system = loadConfig(join(rootDirectory, 'service_config.json'));

  it('repeats where the services of service_config.json are, and has no fault', () => {
    const place = ({ name, host, port }: (typeof system.services)[number]) => `${name} ${host}:${port}`;
    const places = shipped.services.map(place);
    expect(places).toEqual(expect.arrayContaining(system.services.map(place)));
    expect(shipped.services.filter(({ port }) => port !== undefined)).toHaveLength(system.services.length + 1);
    expect(checkConfig(shipped)).toEqual([]);
  });

  it('records all of them by default', () => {
    const profile = findProfile(shipped, defaultProfile);
    expect(edges(profile)).toEqual(edges({ ...profile, subscriptions: everyPath(system) }));
    expect(findProfile(shipped, 'record_samples').maxFileMb).toBe(100);
  });
});

it('paths on a command line are subscriptions, each once', () => {
  expect(namedPaths(config, ['gps/pvt', 'oak/0/rgb', '/gps/pvt', 'gps/*'])).toMatchObject([
    { publisher: 'gps', path: '/pvt' },
    { publisher: 'oak/0', path: '/rgb' },
    { publisher: 'gps', path: '*' },
  ]);
  expect(() => namedPaths(config, ['empty/x'])).toThrow(/--profile empty/);
});

it("a recording has the name that farm-ng's recorder gives it", () => {
  const clock = new TestClock();
  clock.setSystem(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000 + 0.25);
  expect(recordingName(clock)).toBe(`2026_01_02_03_04_05_250000_${clock.host}`);
});
