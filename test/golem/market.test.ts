import fc from 'fast-check';
import {
  Activity,
  AgreementsPool,
  ComLinear,
  type Constraint,
  DecreaseScoreForUnconfirmedAgreement,
  DemandBuilder,
  DummyMS,
  formatConstraint,
  Inf,
  InvalidPropertiesError,
  LeastExpensiveLinearPayuMS,
  type MarketStrategy,
  matchesConstraint,
  NodeInfo,
  type OfferProposal,
  PackageException,
  parseConstraint,
  resolveRepoSrv,
  Service,
  vm,
} from 'furrow/golem';
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../src/base/errors.js';
import { allAre, quick, startGolem, until } from './start-golem.js';

const matches = (text: string, properties: Record<string, unknown>) =>
  matchesConstraint(parseConstraint(text), properties);

describe('constraint expressions', () => {
  test.each([
    ['', {}, true],
    ['(&)', {}, true],
    ['(|)', {}, false],
    ['(a=1)', { a: 1 }, true],
    ['(a=1)', { a: '1' }, true],
    ['(a=1)', {}, false],
    ['(a=*)', { a: false }, true],
    ['(a=*)', {}, false],
    ['(!(a=1))', {}, true],
    ['(a!=1)', { a: 2 }, true],
    ['(a>=0.5)', { a: 0.5 }, true],
    ['(a>0.5)', { a: 0.5 }, false],
    ['(a>9)', { a: 10 }, true],
    ['(a<b)', { a: 'a' }, true],
    ['(a=v*-lin*)', { a: 'vm-linux' }, true],
    ['(a=true)', { a: true }, true],
    ['(a=x)', { a: ['y', 'x'] }, true],
    ['(a!=x)', { a: ['y', 'x'] }, false],
    ['(&(a=1)(|(b=2)(&(c=3)(d=4))))', { a: 1, c: 3, d: 4 }, true],
    ['(&(a=1)(|(b=2)(&(c=3)(d=4))))', { a: 1, c: 3 }, false],
    ['(&(a=1)\n\t(b=2))', { a: 1, b: 2 }, true],
    [
      '(golem.com.payment.platform.erc20-holesky-tglm.address=*)',
      { 'golem.com.payment.platform.erc20-holesky-tglm.address': '0x1' },
      true,
    ],
  ])('%s on %j is %s', (text, properties, expected) => {
    expect(matches(text, properties)).toBe(expected);
  });

  test.each(['(', '(a)', '(a=1', '(a=1))', 'a=1', '(&(a=1)b)', '(=1)', '('.repeat(1000)])(
    '%s is refused with its place',
    (text) => {
      expect(() => parseConstraint(text)).toThrow(/Constraint, character \d+/);
    },
  );

  const leaf = fc.record({
    kind: fc.constant('compare' as const),
    key: fc.stringMatching(/^[a-z][a-z.]{0,8}$/),
    comparison: fc.constantFrom('=' as const, '!=' as const, '<' as const, '<=' as const, '>' as const, '>=' as const),
    value: fc
      .string({ minLength: 1, maxLength: 8 })
      .filter((value) => value.trim() === value && value !== '*' && !/^[=<>]/.test(value) && !/[^ -~]/.test(value)),
  });
  const { tree } = fc.letrec<{ tree: Constraint }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({
        kind: fc.constantFrom('all' as const, 'any' as const),
        parts: fc.array(tie('tree'), { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not' as const), part: tie('tree') }),
    ),
  }));

  test('come back from text as they were', () => {
    fc.assert(
      fc.property(tree, (constraint) => {
        expect(parseConstraint(formatConstraint(constraint))).toEqual(constraint);
      }),
    );
  });

  test('of any text give a constraint or a MeshError', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('(', ')', '&', '|', '!', '=', '<', 'a', '*', ' ', '\\') }),
        (text) => {
          try {
            matches(text, { a: 1 });
          } catch (error) {
            expect(error).toBeInstanceOf(MeshError);
          }
        },
      ),
    );
  });
});

describe('demands and models', () => {
  test('a builder gathers models and constraints under golem’s keys', () => {
    const builder = new DemandBuilder()
      .add(NodeInfo.of({ name: 'a node', subnetTag: 'testnet' }))
      .add(Activity.of({ expiration: new Date(1601655628772) }))
      .ensure('(a=1)');
    expect(builder.build()).toEqual({
      properties: {
        'golem.node.id.name': 'a node',
        'golem.node.debug.subnet': 'testnet',
        'golem.srv.comp.expiration': 1601655628772,
      },
      constraints: '(a=1)',
    });
    expect(builder.ensure('(|(b=1)(c=2))').ensure('(a=1)').constraints).toBe('(&(a=1)(|(b=1)(c=2)))');
    expect(() => builder.ensure('(a')).toThrow(MeshError);
    expect(new DemandBuilder().constraints).toBe('(&)');
  });

  test('models read their own keys out of any properties', () => {
    const properties = {
      'golem.inf.mem.gib': 2,
      'golem.inf.cpu.threads': 4,
      other: 'x',
      'golem.srv.comp.expiration': 5,
    };
    expect(Inf.fromProperties(properties)).toEqual({ memGib: 2, cpuThreads: 4 });
    expect(Activity.fromProperties(properties).expiration).toEqual(new Date(5));
    expect(NodeInfo.keys.name).toBe('golem.node.id.name');
  });

  test('invalid properties are all named at once', () => {
    const read = () => ComLinear.fromProperties({ 'golem.com.pricing.model': 'cubic' });
    expect(read).toThrow(InvalidPropertiesError);
    expect(read).toThrow(/golem.com.pricing.model:.*golem.com.pricing.model.linear.coeffs:.*golem.com.usage.vector:/);
  });
});

const offer = (coeffs: number[], id = 'p'): OfferProposal => ({
  proposalId: id,
  provider: { id, name: id },
  isDraft: false,
  properties: {
    'golem.com.pricing.model': 'linear',
    'golem.com.usage.vector': ['golem.usage.duration_sec', 'golem.usage.cpu_sec'],
    'golem.com.pricing.model.linear.coeffs': coeffs,
  },
});

describe('strategies', () => {
  test('DummyMS takes any linear price that is not over its maximum', () => {
    const strategy = new DummyMS({ perCounter: { 'golem.usage.cpu_sec': 0.1 }, fixed: 1 });
    expect(strategy.scoreOffer(offer([5, 0.1, 1]))).toBe(0);
    expect(strategy.scoreOffer(offer([5, 0.11, 1]))).toBe(-1);
    expect(strategy.scoreOffer(offer([5, 0.1, 1.1]))).toBe(-1);
    expect(strategy.scoreOffer({ ...offer([]), properties: {} })).toBe(-1);
    const demand = new DemandBuilder();
    strategy.decorateDemand(demand);
    expect(demand.constraints).toBe('(golem.com.pricing.model=linear)');
  });

  test('LeastExpensiveLinearPayuMS puts the cheapest for the expected time first', () => {
    const short = new LeastExpensiveLinearPayuMS({ expectedTimeSecs: 1 });
    const long = new LeastExpensiveLinearPayuMS({ expectedTimeSecs: 1000 });
    const steady = offer([0.01, 0, 0]);
    const dearStart = offer([0.001, 0, 1]);
    expect(short.scoreOffer(steady)).toBeGreaterThan(short.scoreOffer(dearStart));
    expect(long.scoreOffer(steady)).toBeLessThan(long.scoreOffer(dearStart));
    expect(short.scoreOffer(offer([-1, 0, 0]))).toBe(-1);
    expect(short.scoreOffer(offer([1, 0]))).toBe(-1);
  });

  test('a provider that did not confirm is scored lower until it confirms', async () => {
    const strategy = new DecreaseScoreForUnconfirmedAgreement(new LeastExpensiveLinearPayuMS(), 0.5);
    const before = await strategy.scoreOffer(offer([0.01, 0, 0]));
    strategy.onAgreement('p', 'rejected');
    expect(await strategy.scoreOffer(offer([0.01, 0, 0]))).toBeCloseTo(before / 2);
    strategy.onAgreement('p', 'confirmed');
    expect(await strategy.scoreOffer(offer([0.01, 0, 0]))).toBe(before);
  });

  test('an own strategy decides by the same two hooks', async () => {
    const own: MarketStrategy = {
      decorateDemand: (demand) => void demand.ensure('(golem.inf.cpu.threads>=2)'),
      scoreOffer: ({ provider }) => (provider.id === 'p2' ? 10 : provider.id === 'p3' ? -1 : 1),
    };
    const { golem, daemon, events } = await startGolem([{ id: 'p1' }, { id: 'p3' }, { id: 'p2' }], { strategy: own });
    const cluster = await golem.runService(class Any extends Service {}, { ...quick, numInstances: 2 });
    await until(cluster, allAre('running'));
    expect(cluster.instances.map(({ provider }) => provider?.id)).toContain('p2');
    expect(cluster.instances.map(({ provider }) => provider?.id)).not.toContain('p3');
    expect([...daemon.demands.values()][0]?.constraints).toContain('(golem.inf.cpu.threads>=2)');
    expect(events.find(({ type }) => type === 'ProposalRejected')).toMatchObject({ reason: 'score too low' });
  });
});

describe('negotiation', () => {
  class Any extends Service {}

  test('offers that do not satisfy the demand, or cannot be paid, are turned down', async () => {
    const { golem, daemon, events } = await startGolem([
      {
        id: 'poor',
        properties: {
          'golem.com.payment.platform.erc20-holesky-tglm.address': undefined,
          'golem.com.payment.platform.zksync.address': 'x',
        },
      },
      { id: 'good' },
    ]);
    const { publishDemand } = daemon.market;
    // A daemon that matches carelessly.
    daemon.market.publishDemand = async (demand, call) => {
      const id = await publishDemand({ ...demand, constraints: '' }, call);
      daemon.demands.set(id, demand);
      return id;
    };
    const cluster = await golem.runService(Any, quick);
    await until(cluster, allAre('running'));
    expect(cluster.instances[0]?.provider?.id).toBe('good');
    expect(events.filter(({ type }) => type === 'ProposalRejected')).toMatchObject([{ provider: { id: 'poor' } }]);
  });

  test('one failure of the daemon ends neither the collecting nor a proposal of another', async () => {
    const { golem, daemon, types } = await startGolem([{ id: 'p1' }, { id: 'p2' }]);
    const failure = new MeshError('internal', 'status 500');
    daemon.failNext('publishDemand', failure);
    daemon.failNext('collectOffers', failure);
    daemon.failNext('counterProposal', failure);
    const cluster = await golem.runService(Any, quick);
    await until(cluster, allAre('running'));
    expect(types()).toEqual(expect.arrayContaining(['SubscriptionFailed', 'CollectFailed', 'ProposalFailed']));
  });

  test('a demand that the daemon has dropped is published anew', async () => {
    const { golem, daemon } = await startGolem([]);
    const cluster = await golem.runService(Any, { ...quick, starvedMs: 60_000 });
    await expect.poll(() => daemon.demands.size).toBe(1);
    daemon.providers.push({ id: 'late' });
    for (const id of daemon.demands.keys()) await daemon.market.removeDemand(id);
    await until(cluster, allAre('running'));
    expect(cluster.instances[0]?.provider?.id).toBe('late');
  });

  test('released agreements are used again; terminated ones are not', async () => {
    const { daemon } = await startGolem([{ id: 'p1' }]);
    const pool = new AgreementsPool({
      daemon,
      strategy: new DummyMS(),
      emit: () => undefined,
      validTo: new Date(Date.now() + 60_000),
    });
    const demandId = await daemon.market.publishDemand({ properties: {}, constraints: '' });
    const [event] = await daemon.market.collectOffers(demandId, { waitSeconds: 0 });
    if (event?.type !== 'proposal') throw new Error('no offer');
    pool.addProposal(1, { ...offer([0, 0, 0], 'p1'), proposalId: event.proposal.proposalId });
    const { signal } = new AbortController();
    const first = await pool.acquire({ signal });
    await pool.release(first.agreementId, { reuse: true });
    const again = await pool.useAgreement(async (agreement) => agreement.agreementId, { signal });
    expect(again).toBe(first.agreementId);
    const waiting = pool.acquire({ signal: AbortSignal.timeout(20) });
    pool.onAgreementTerminated(first.agreementId, 'gone');
    expect(first.terminated.aborted).toBe(true);
    await waiting.catch(() => undefined);
    await expect(pool.acquire({ signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
      code: 'deadline-exceeded',
    });
  });
});

describe('images', () => {
  const imageHash = 'a'.repeat(56);
  const answering = (body: unknown, status = 200) =>
    (async () => new Response(JSON.stringify(body), { status })) as typeof fetch;

  test('an image by address and hash asks no registry', async () => {
    const demand = new DemandBuilder();
    await vm
      .repo({ imageHash, imageUrl: 'http://x/y', minMemGib: 1, minStorageGib: 3, capabilities: ['vpn'] })
      .decorateDemand(demand);
    expect(demand.properties['golem.srv.comp.task_package']).toBe(`hash:sha3:${imageHash}:http://x/y`);
    for (const part of [
      '(golem.runtime.name=vm)',
      '(golem.inf.mem.gib>=1)',
      '(golem.inf.storage.gib>=3)',
      '(golem.runtime.capabilities=vpn)',
    ]) {
      expect(demand.constraints).toContain(part);
    }
  });

  test('by hash alone the registry says where it is; defaults are 0.5 and 2 GiB', async () => {
    const demand = new DemandBuilder();
    const repository = { fetch: answering({ sha3: imageHash, http: 'http://there/image' }) };
    await vm.repo({ imageHash, repository }).decorateDemand(demand);
    expect(demand.properties['golem.srv.comp.task_package']).toBe(`hash:sha3:${imageHash}:http://there/image`);
    expect(demand.constraints).toContain('(golem.inf.mem.gib>=0.5)(golem.inf.storage.gib>=2)');
  });

  test('a registry that does not know it is a PackageException, and is asked again by the next demand', async () => {
    let status = 404;
    const repository = {
      fetch: (async () => answering({ sha3: imageHash, http: 'http://there' }, status)('')) as typeof fetch,
    };
    const payload = vm.repo({ imageTag: 'golem/none:latest', repository });
    await expect(payload.decorateDemand(new DemandBuilder())).rejects.toBeInstanceOf(PackageException);
    status = 200;
    await expect(payload.decorateDemand(new DemandBuilder())).resolves.toBeUndefined();
  });

  test('a repository is found by its SRV record, else by the fallback, else a PackageException', async () => {
    const up = new Set(['http://two:80', 'http://fallback']);
    const options = {
      resolve: async () => [
        { name: 'one', port: 80 },
        { name: 'two', port: 80 },
      ],
      fetch: (async (url: string) => {
        if (!up.has(url)) throw new Error('refused');
        return new Response();
      }) as typeof fetch,
      fallbackUrl: 'http://fallback',
    };
    expect(await resolveRepoSrv('_girepo._tcp.x', options)).toBe('http://two:80');
    up.delete('http://two:80');
    expect(await resolveRepoSrv('_girepo._tcp.x', options)).toBe('http://fallback');
    up.clear();
    await expect(resolveRepoSrv('_girepo._tcp.x', options)).rejects.toBeInstanceOf(PackageException);
  });

  test.each([[{}], [{ imageHash: 'short' }], [{ imageTag: 'x', imageUrl: 'http://x' }]])(
    '%j is refused at once',
    (options) => {
      expect(() => vm.repo(options)).toThrow(MeshError);
    },
  );
});
