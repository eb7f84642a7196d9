import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { findService, programOf, splitServicePath } from '../../src/config/service.js';
import { parse } from './parse.js';

const shipped = loadConfig('service_config.json');
const robot = parse([
  { name: 'oak', port: 1 },
  { name: 'oak/1', port: 2 },
  { name: 'recorder', port: 3, args: ['--program', 'furrow-recorder'] },
]);
const split = (text: string) => {
  const { service, path } = splitServicePath(robot, text);
  return [service.name, path];
};

describe('findService', () => {
  it('finds an entry', () => {
    expect(findService(shipped, 'storage').port).toBe(7010);
  });

  it('suggests and lists names', () => {
    expect(() => findService(shipped, 'agnet-1')).toThrow(
      'service "agnet-1" is not in service_config.json; did you mean "agent-1"? (it has "agent-1", "agent-2", "agent-3", "supervisor-1", "supervisor-2", "storage", "golem-node", "simple-service-1", "simple-service-2", "supervisor-3")',
    );
  });
});

describe('splitServicePath', () => {
  it('splits at the longest name', () => {
    expect(split('recorder/start')).toEqual(['recorder', '/start']);
    expect(split('oak/1/disparity')).toEqual(['oak/1', '/disparity']);
    expect(split('oak/2/disparity')).toEqual(['oak', '/2/disparity']);
    expect(split('/recorder/start/daily')).toEqual(['recorder', '/start/daily']);
    expect(split('oak/1/*')).toEqual(['oak/1', '*']);
  });

  it('says what is missing', () => {
    expect(() => splitServicePath(shipped, 'storage')).toThrow(
      '"storage" names a service but no path; write "storage/residual", "storage/update_storage"',
    );
    expect(() => splitServicePath(shipped, 'storge/residual')).toThrow('did you mean "storage"?');
    expect(() => splitServicePath(shipped, '')).toThrow('starts with no service of service_config.json');
  });
});

describe('programOf', () => {
  it('is the name without its number, or what the args say', () => {
    expect([...shipped.services, ...robot.services].map(programOf)).toEqual([
      'agent',
      'agent',
      'agent',
      'supervisor',
      'supervisor',
      'storage',
      'golem-node',
      'simple-service',
      'simple-service',
      'supervisor',
      'oak',
      'oak/1',
      'furrow-recorder',
    ]);
  });
});
