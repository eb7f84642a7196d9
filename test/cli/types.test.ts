import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { serviceTypes } from '../../src/cli/service-types.js';
import { loadConfig } from '../../src/config/load.js';
import type { EventClient } from '../../src/mesh/event-client.js';
import { parse } from '../config/parse.js';
import { registry } from '../mesh/running.js';
import { rootDirectory } from '../process.js';
import type { AgentTypes, StorageTypes } from './shipped-types.js';

const struct = 'type=google.protobuf.Struct&pb=google/protobuf/struct.proto';

describe('the types of a configuration', () => {
  it('of the shipped one are these, and fit clients', () => {
    const written = serviceTypes(loadConfig(`${rootDirectory}service_config.json`), registry);
    const kept = readFileSync(new URL('shipped-types.ts', import.meta.url), 'utf8');
    // The formatter breaks long lines.
    const words = (text: string): string => text.replace(/\s+|;/g, ' ').replace(/ +/g, ' ').trim();
    expect(words(written)).toBe(words(kept));
    type Agent = EventClient<AgentTypes>;
    expectTypeOf<Parameters<Agent['request']>[0]>().toEqualTypeOf<'/update_residual'>();
    expectTypeOf<Parameters<EventClient<StorageTypes>['events']>[0]>()
      .extract<string>()
      .toEqualTypeOf<'/residual' | '/health'>();
  });

  it('are written for each service where those of one program differ', () => {
    const uris = (path: string) => [{ scheme: 'protobuf', path, query: struct }];
    const text = serviceTypes(
      parse([
        { name: 'oak/0', port: 5001, uris: uris('/rgb') },
        { name: 'agent-1', port: 5002, uris: uris('/a') },
        { name: 'agent-2', port: 5003, uris: uris('/b') },
        { name: 'profile' },
      ]),
      registry,
    );
    expect([...text.matchAll(/^export interface (\w+)/gm)].map(([, name]) => name)).toEqual([
      'MessageTypes',
      'Oak0Types',
      'Agent1Types',
      'Agent2Types',
    ]);
  });

  it('know wildcards and paths without a type', () => {
    const text = serviceTypes(
      parse([
        {
          name: 'recorder',
          port: 5001,
          uris: [
            {
              scheme: 'request',
              path: '/header/*',
              query: `request=google.protobuf.Struct&reply=google.protobuf.Empty`,
            },
            { scheme: 'request', path: '/stop', query: '' },
          ],
        },
      ]),
      registry,
    );
    expect(text).toContain('[path: `/header/');
    expect(text).toContain("'/stop': { request: unknown; reply: unknown };");
  });

  it('are refused where a type is not known', () => {
    const uris = [{ scheme: 'protobuf', path: '/a', query: 'type=google.protobuf.Strct' }];
    expect(() => serviceTypes(parse([{ name: 'a', port: 5001, uris }]), registry)).toThrow(
      /did you mean "google\.protobuf\.Struct"/,
    );
  });
});
