import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGolemNode } from '../../services/golem-node/start-golem-node.js';
import { type TestNode, testNode } from './node.js';
import { run, shell } from './requestor.js';

let fixture: TestNode;

beforeAll(async () => {
  fixture = await testNode();
});

afterAll(() => fixture[Symbol.asyncDispose]());

describe('the door', () => {
  it('stays on loopback', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.org', '']) {
      await expect(startGolemNode({ host })).rejects.toMatchObject({ code: 'permission-denied' });
    }
    expect(new URL(fixture.node.url).hostname).toBe('127.0.0.1');
  });

  it('opens with the key only, except for the version and the registry', async () => {
    const { requestor } = fixture;
    const wrong = { Authorization: 'Bearer wrong' };
    for (const path of ['/me', '/market-api/v1/demands', '/payment-api/v1/invoices', '/local-node/v1/faults']) {
      expect((await requestor.call('GET', path, undefined, wrong)).status).toBe(401);
    }
    expect((await requestor.call('GET', '/version/get', undefined, wrong)).status).toBe(200);
    expect((await requestor.call('GET', '/v1/image/info?tag=golem/alpine:latest', undefined, wrong)).status).toBe(200);
    expect(fixture.node.appKey).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says what is wrong with a request', async () => {
    const { requestor } = fixture;
    expect(await requestor.call('GET', '/nowhere')).toMatchObject({ status: 404 });
    expect(await requestor.call('PATCH', '/me')).toMatchObject({ status: 405 });
    expect(await requestor.call('POST', '/market-api/v1/demands', '{')).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('not JSON') },
    });
    const bad = { properties: {}, constraints: '(a' };
    expect(await requestor.call('POST', '/market-api/v1/demands', bad)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('constraints: expected') },
    });
  });

  it('turns options down that make no sense', async () => {
    for (const options of [
      { providers: [{ name: '' }] },
      { providers: [{ name: 'a' }, { name: 'a' }] },
      { providers: [{ name: 'a', cpuPerHour: -1 }] },
      { providers: [{ name: 'a', constraints: '(' }] },
      { images: [{ tag: 'x', mounts: [{ from: '/no/such/file', to: '/x' }] }] },
      { images: [{ tag: 'x', mounts: [{ from: '/', to: '/golem/../..' }] }] },
      { funds: 'much' },
    ]) {
      await expect(testNode(options)).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });

  it('says at the start whose rights commands have', () => {
    expect(fixture.node.notice).toMatch(/rights of the user who started the node/);
    expect(fixture.node.notice).toMatch(/NOT confined/);
  });
});

describe('the market', () => {
  it('offers what the constraints ask for, and nothing else', async () => {
    await using two = await testNode({
      providers: [
        { name: 'small', memGib: 2 },
        { name: 'large', memGib: 64 },
      ],
    });
    const demand = await two.requestor.subscribe('(&(golem.runtime.name=vm)(golem.inf.mem.gib>=32))');
    const { proposal } = await two.requestor.event(demand, () => true);
    expect(proposal.properties['golem.node.id.name']).toBe('large');
    const path = `/market-api/v1/demands/${demand}/events?timeout=0`;
    expect(await two.requestor.expect(200, 'GET', path)).toEqual([]);
  });

  it('ends a poll of a demand that is taken back with 404', async () => {
    const { requestor } = fixture;
    const demand = await requestor.subscribe('(golem.runtime.name=none)');
    const poll = requestor.call('GET', `/market-api/v1/demands/${demand}/events?timeout=30`);
    await requestor.expect(204, 'DELETE', `/market-api/v1/demands/${demand}`);
    expect((await poll).status).toBe(404);
  });

  it('takes only a draft of a provider into an agreement', async () => {
    const { requestor } = fixture;
    const demand = await requestor.subscribe();
    const { proposal } = await requestor.event(demand, () => true);
    const validTo = new Date(Date.now() + 60_000).toISOString();
    const { proposalId } = proposal;
    const answer = await requestor.call('POST', '/market-api/v1/agreements', { proposalId, validTo });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining("provider's draft") } });
    await requestor.expect(204, 'DELETE', `/market-api/v1/demands/${demand}`);
  });

  it('makes new proposals after an agreement, while the provider has room', async () => {
    await using busy = await testNode({ providers: [{ name: 'busy', negotiationMs: 0, maxAgreements: 2 }] });
    const { requestor } = busy;
    const demand = await requestor.subscribe();
    const first = await requestor.confirm(await requestor.draft(demand));
    await requestor.expect(204, 'POST', `/market-api/v1/agreements/${first}/wait?timeout=5`);
    const second = await requestor.confirm(await requestor.draft(demand));
    await requestor.expect(204, 'POST', `/market-api/v1/agreements/${second}/wait?timeout=5`);
    const path = `/market-api/v1/demands/${demand}/events?timeout=0`;
    expect(await requestor.expect(200, 'GET', path)).toEqual([]);
    await requestor.end(first);
    expect(await requestor.event(demand, () => true)).toMatchObject({ eventType: 'ProposalEvent' });
  });

  it('reports agreements to their session, in strictly increasing time', async () => {
    const { requestor } = fixture;
    const demand = await requestor.subscribe();
    const id = await requestor.confirm(await requestor.draft(demand), 'reporting');
    await requestor.expect(204, 'POST', `/market-api/v1/agreements/${id}/wait?timeout=5`);
    await requestor.end(id);
    const events = await requestor.agreementEvents(undefined, 'reporting');
    expect(events).toMatchObject([
      { eventType: 'AgreementApprovedEvent', agreementId: id },
      { eventType: 'AgreementTerminatedEvent', agreementId: id, terminator: 'Requestor', reason: { message: 'done' } },
    ]);
    expect(events[1].eventDate > events[0].eventDate).toBe(true);
    expect(await requestor.agreementEvents(events[0].eventDate, 'reporting')).toEqual([events[1]]);
  });

  it('lets an agreement end when the demand wants it to', async () => {
    const { requestor } = fixture;
    const id = await requestor.agree({ 'golem.srv.comp.expiration': Date.now() + 200 });
    const approved = (await requestor.agreementEvents()).find((event) => event.agreementId === id);
    const [event] = await requestor.agreementEvents(approved.eventDate, 'session');
    expect(event).toMatchObject({ eventType: 'AgreementTerminatedEvent', terminator: 'Provider' });
  });
});

describe('activities', () => {
  it('run through their states', async () => {
    const { requestor } = fixture;
    const agreement = await requestor.agree();
    const id = await requestor.activity(agreement);
    const state = async () => (await requestor.state(id)).body.state[0];
    expect(await state()).toBe('Initialized');
    await requestor.run(id, { deploy: {} });
    expect(await state()).toBe('Deployed');
    await requestor.run(id, { start: {} });
    expect(await state()).toBe('Ready');
    expect(await requestor.expect(200, 'GET', `/activity-api/v1/activity/${id}/agreement`)).toBe(agreement);
    await requestor.expect(204, 'DELETE', `/activity-api/v1/activity/${id}`);
    expect(await state()).toBe('Terminated');
    expect(
      (await requestor.call('POST', `/activity-api/v1/activity/${id}/exec`, { text: '[{"start":{}}]' })).status,
    ).toBe(410);
    await requestor.end(agreement);
  });

  it('stop a batch at its first failure, and take the next one', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const batch = await requestor.exec(
      activityId,
      shell('echo one'),
      shell('echo two >&2; exit 7'),
      shell('echo three'),
    );
    expect(await requestor.results(activityId, batch)).toMatchObject([
      { index: 0, result: 'Ok', stdout: 'one\n', isBatchFinished: false },
      {
        index: 1,
        result: 'Error',
        stderr: 'two\n',
        message: 'the command exited with status 7',
        isBatchFinished: true,
      },
    ]);
    expect(await requestor.run(activityId, shell('echo four'))).toMatchObject({ result: 'Ok', stdout: 'four\n' });
  });

  it('give arguments as they are, without a shell', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const args = ['a b', '$HOME', '"; rm -rf x', '*', ''];
    const { stdout } = await requestor.run(activityId, run('/usr/bin/printf', '<%s>', ...args));
    expect(stdout).toBe(args.map((argument) => `<${argument}>`).join(''));
  });

  it('show what they print as it comes, whole characters only', async () => {
    const { requestor, node } = fixture;
    const { activityId } = await requestor.ready();
    const capture = { stdout: { stream: {} }, stderr: { stream: {} } };
    const args = ['-c', 'printf "\\303"; sleep 0.05; printf "\\244"; echo problem >&2; exit 4'];
    const batch = await requestor.exec(activityId, { run: { entry_point: '/bin/sh', args, capture } });
    const response = await fetch(`${node.url}/activity-api/v1/activity/${activityId}/exec/${batch}`, {
      headers: { Authorization: `Bearer ${node.appKey}`, Accept: 'text/event-stream' },
    });
    const events = (await response.text())
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)));
    const kinds = events.map(({ kind }) => kind);
    expect(kinds[0]).toEqual({ started: { command: { run: { entry_point: '/bin/sh', args, capture } } } });
    expect(kinds).toContainEqual({ stdout: 'ä' });
    expect(kinds).toContainEqual({ stderr: 'problem\n' });
    expect(kinds.slice(3)).toEqual([{ finished: { return_code: 4, message: 'the command exited with status 4' } }]);
    expect(events.every(({ batch_id, index }) => batch_id === batch && index === 0)).toBe(true);
  });

  it('turn scripts down that make no sense', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    for (const text of [
      '',
      '{}',
      '[]',
      '[{}]',
      '[{"dance":{}}]',
      '[{"run":{}}]',
      '[{"run":{"entry_point":"x","args":[1]}}]',
    ]) {
      const answer = await requestor.call('POST', `/activity-api/v1/activity/${activityId}/exec`, { text });
      expect(answer.status).toBe(400);
      expect(answer.body.message).toMatch(/exec|command 0/);
    }
  });

  it('want to be deployed and started first', async () => {
    const { requestor } = fixture;
    const id = await requestor.activity(await requestor.agree());
    expect((await requestor.run(id, shell('true'))).message).toContain('deploy');
    await requestor.run(id, { deploy: {} });
    expect((await requestor.run(id, shell('true'))).message).toContain('start');
  });

  it('end in the middle of a command when they are destroyed', async () => {
    const { requestor } = fixture;
    const { activityId } = await requestor.ready();
    const batch = await requestor.exec(activityId, shell('sleep 1000'), shell('true'));
    await requestor.expect(204, 'DELETE', `/activity-api/v1/activity/${activityId}`);
    const results = await requestor.results(activityId, batch);
    expect(results).toMatchObject([
      { result: 'Error', message: 'it was destroyed by the requestor', isBatchFinished: true },
    ]);
  });
});

describe('a requestor that is gone', () => {
  it('loses agreements in which nothing runs', async () => {
    await using node = await testNode({ idleAgreementMs: 1500 });
    const { requestor } = node;
    const agreement = await requestor.agree();
    const used = await requestor.ready();
    const state = async (id: string) => (await requestor.expect(200, 'GET', `/market-api/v1/agreements/${id}`)).state;
    while ((await state(agreement)) !== 'Terminated');
    expect(await state(used.agreementId)).toBe('Approved');
    await requestor.expect(204, 'DELETE', `/activity-api/v1/activity/${used.activityId}`);
    while ((await state(used.agreementId)) !== 'Terminated');
    const reasons = (await requestor.agreementEvents()).map(({ reason }) => reason?.message).filter(Boolean);
    expect(reasons).toEqual(['nothing ran for 1.5 s', 'nothing ran for 1.5 s']);
  });
});

describe('networks', () => {
  it('keep addresses, and lead to the port of that number', async () => {
    const { requestor } = fixture;
    const { id, mask } = await requestor.expect(200, 'POST', '/net-api/v1/net', { ip: '192.168.0.0/24' });
    expect(mask).toBe('255.255.255.0');
    const node = { id: '0xabc', ip: '192.168.0.2' };
    await requestor.expect(204, 'POST', `/net-api/v1/net/${id}/nodes`, node);
    expect(await requestor.expect(200, 'GET', `/net-api/v1/net/${id}/nodes`)).toEqual([node]);
    const taken = { id: '0xdef', ip: '192.168.0.2' };
    expect((await requestor.call('POST', `/net-api/v1/net/${id}/nodes`, taken)).status).toBe(409);
    await requestor.expect(204, 'DELETE', `/net-api/v1/net/${id}/nodes/0xabc`);
    await requestor.expect(204, 'DELETE', `/net-api/v1/net/${id}`);
    expect((await requestor.call('GET', `/net-api/v1/net/${id}`)).status).toBe(404);
  });
});
