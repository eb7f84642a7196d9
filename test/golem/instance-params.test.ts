import { Service, type ServiceHandler, type WorkContext } from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { planInstances } from '../../src/golem/instance-params.js';
import { allAre, payload, quick, startGolem, until } from './start-golem.js';

class Numbered extends Service<{ n: number; instanceName?: string } | undefined> {
  override async *start(work: WorkContext): ServiceHandler {
    yield* super.start(work);
  }
}

function* endless() {
  for (let n = 1; ; n += 1) yield { n };
}

describe('how many instances, and with what', () => {
  test.each([
    ['one by default', {}, [undefined]],
    ['one by count', { numInstances: 1 }, [undefined]],
    ['three by count', { numInstances: 3 }, [undefined, undefined, undefined]],
    ['parameters alone set count and order', { instanceParams: [{ n: 2 }, { n: 1 }] }, [2, 1]],
    ['the count beats a longer list', { numInstances: 1, instanceParams: [{ n: 7 }, { n: 8 }] }, [7]],
    ['a count works with an endless iterable', { numInstances: 3, instanceParams: endless() }, [1, 2, 3]],
    ['zero starts none', { numInstances: 0 }, []],
    ['zero starts none of a list', { numInstances: 0, instanceParams: [{ n: 1 }] }, []],
  ])('%s', async (_what, options, expected) => {
    const { golem, daemon } = await startGolem();
    const cluster = await golem.runService(Numbered, { ...quick, ...options });
    expect(cluster.instances.map(({ service }) => service.params?.n)).toEqual(expected);
    await until(cluster, allAre('running'));
    expect(daemon.count('createActivity')).toBe(expected.length);
  });

  test('a count above the list starts those there are, then fails naming how many', async () => {
    const { golem } = await startGolem();
    const started = golem.runService(Numbered, { ...quick, numInstances: 5, instanceParams: [{ n: 1 }, { n: 2 }] });
    await expect(started).rejects.toMatchObject({
      code: 'out-of-range',
      message: expect.stringContaining('3 could not'),
    });
    const [cluster] = golem.clusters;
    if (!cluster) throw new Error('no cluster');
    await until(cluster, allAre('running'));
    expect(cluster.instances).toHaveLength(2);
  });

  test('an endless iterable is not asked for more than the count', () => {
    let asked = 0;
    const counting = {
      *[Symbol.iterator]() {
        for (;;) yield { n: ++asked };
      },
    };
    expect(planInstances({ numInstances: 2, instanceParams: counting }).plans).toHaveLength(2);
    expect(asked).toBe(2);
  });

  test('an instance is named by its parameters', async () => {
    const { golem } = await startGolem();
    const cluster = await golem.runService(Numbered, {
      ...quick,
      instanceParams: [{ n: 1, instanceName: 'north' }, { n: 2 }],
    });
    expect(cluster.instances.map(({ name }) => name)).toEqual(['north', 'Numbered-2']);
  });

  test.each([[-1], [1.5], [Number.NaN]])(
    'a count of %s is refused before anything costs money',
    async (numInstances) => {
      const { golem, daemon } = await startGolem();
      await expect(golem.runService(Numbered, { payload, numInstances })).rejects.toMatchObject({
        code: 'invalid-argument',
      });
      expect(daemon.count('createAllocation')).toBe(0);
    },
  );

  test('a payload that is missing, none, or another than the class’s is refused', async () => {
    const { golem, daemon } = await startGolem();
    await expect(golem.runService(Numbered)).rejects.toThrow(
      /getPayload gives no payload, and options.payload is missing/,
    );
    await expect(golem.runService(Numbered, { payload: {} as never })).rejects.toThrow(/no decorateDemand/);
    class Own extends Numbered {
      static override getPayload() {
        return payload;
      }
    }
    const other = {
      decorateDemand: (demand: { set(key: string, value: unknown): unknown }) => void demand.set('x', 1),
    };
    await expect(golem.runService(Own, { payload: other })).rejects.toThrow(/ask for different things/);
    expect(daemon.count('createAllocation')).toBe(0);
    await expect(golem.runService(Own, { ...quick, payload })).resolves.toBeDefined();
  });
});

describe('networks', () => {
  test('fewer addresses than instances leave the rest automatic, and each deploys with its own', async () => {
    const { golem, daemon } = await startGolem();
    const network = await golem.createNetwork({ ip: '10.0.0.0/24' });
    const options = { ...quick, network, numInstances: 3, networkAddresses: ['10.0.0.2'] };
    const cluster = await golem.runService(Numbered, options);
    await until(cluster, allAre('running'));
    expect(cluster.instances.map(({ address }) => address).sort()).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
    expect(cluster.instances[0]?.address).toBe('10.0.0.2');
    const deploys = daemon.commands.flatMap((command) => ('deploy' in command ? [command.deploy] : []));
    expect(deploys).toHaveLength(3);
    expect(deploys[0]).toMatchObject({
      net: [{ ip: '10.0.0.0', mask: '255.255.255.0', nodes: { '10.0.0.1': '0xrequestor' } }],
    });
    expect([...daemon.demands.values()][0]?.constraints).toContain('(golem.runtime.capabilities=vpn)');
    cluster.stop();
    await cluster.ended;
    expect([...network.nodes.values()]).toEqual(['10.0.0.1']);
    await golem.close();
    expect(daemon.networks.size).toBe(0);
  });

  test('addresses without a network, or outside it, are refused', async () => {
    const { golem, daemon } = await startGolem();
    const network = await golem.createNetwork();
    await expect(golem.runService(Numbered, { payload, networkAddresses: ['10.0.0.2'] })).rejects.toThrow(
      /need a network/,
    );
    for (const address of ['10.0.0.2', '192.168.0.0', '192.168.0.255', '192.168.0', '192.168.0.300']) {
      const started = golem.runService(Numbered, { payload, network, networkAddresses: [address] });
      await expect(started).rejects.toMatchObject({ code: 'invalid-argument' });
    }
    expect(daemon.count('createAllocation')).toBe(0);
  });

  test('an address that is taken, and a network that is full, are said', async () => {
    const { golem } = await startGolem();
    const network = await golem.createNetwork({ ip: '10.0.0.0/30' });
    await expect(network.addNode('0xa', { ip: '10.0.0.1' })).rejects.toMatchObject({ code: 'already-exists' });
    expect(await network.addNode('0xb')).toBe('10.0.0.2');
    await expect(network.addNode('0xc')).rejects.toMatchObject({ code: 'resource-exhausted' });
    expect(network.tcpUrl('10.0.0.2', 22)).toBe(`ws://memory/net/${network.id}/tcp/10.0.0.2/22`);
  });
});
