import type { GolemNode } from '../../services/golem-node/start-golem-node.js';

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever the node answers.
  readonly body: any;
}

export interface CommandResult {
  readonly index: number;
  readonly result: 'Ok' | 'Error';
  readonly stdout: string | null;
  readonly stderr: string | null;
  readonly message: string | null;
  readonly isBatchFinished: boolean;
}

const text = { atEnd: { format: 'string' } };

/** A `run` command whose output is captured. */
export function run(entryPoint: string, ...args: string[]): object {
  return { run: { entry_point: entryPoint, args, capture: { stdout: text, stderr: text } } };
}

export const shell = (script: string) => run('/bin/sh', '-c', script);

/** Speaks the interface in plain HTTP, step by step, as no SDK would. */
export class Requestor {
  readonly #node: Pick<GolemNode, 'url' | 'appKey'>;

  constructor(node: Pick<GolemNode, 'url' | 'appKey'>) {
    this.#node = node;
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.#node.url}${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.#node.appKey}`, Connection: 'close', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const content = await response.text();
    return { status: response.status, body: content === '' ? undefined : JSON.parse(content) };
  }

  async expect(status: number, method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await this.call(method, path, body);
    if (answer.status !== status) {
      throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}, not ${status}`);
    }
    return answer.body;
  }

  async allocate(totalAmount = '10'): Promise<string> {
    const body = { totalAmount, paymentPlatform: 'erc20-holesky-tglm' };
    return (await this.expect(201, 'POST', '/payment-api/v1/allocations', body)).allocationId;
  }

  subscribe(constraints = '(golem.runtime.name=vm)', properties: object = {}): Promise<string> {
    return this.expect(201, 'POST', '/market-api/v1/demands', { properties, constraints });
  }

  /** The first event of the demand that fits. Others are passed over. */
  async event(demandId: string, fits: (event: Answer['body']) => boolean): Promise<Answer['body']> {
    for (;;) {
      const path = `/market-api/v1/demands/${demandId}/events?timeout=5&maxEvents=1`;
      const [event] = await this.expect(200, 'GET', path);
      if (event === undefined) throw new Error('no such event came');
      if (fits(event)) return event;
    }
  }

  /** Negotiates up to a provider's draft. */
  async draft(demandId: string, properties: object = {}, constraints = '(golem.runtime.name=vm)'): Promise<string> {
    const { proposal } = await this.event(demandId, ({ proposal: one }) => one?.state === 'Initial');
    const path = `/market-api/v1/demands/${demandId}/proposals/${proposal.proposalId}`;
    const counter = await this.expect(201, 'POST', path, { properties, constraints });
    const answer = await this.event(
      demandId,
      (event) => (event.proposal?.prevProposalId ?? event.proposalId) === counter,
    );
    if (answer.proposal === undefined) throw new Error(`rejected: ${answer.reason.message}`);
    return answer.proposal.proposalId;
  }

  async confirm(proposalId: string, session = 'session'): Promise<string> {
    const validTo = new Date(Date.now() + 3_600_000).toISOString();
    const id = await this.expect(201, 'POST', '/market-api/v1/agreements', { proposalId, validTo });
    await this.expect(204, 'POST', `/market-api/v1/agreements/${id}/confirm?appSessionId=${session}`);
    return id;
  }

  /** An approved agreement. */
  async agree(properties: object = {}): Promise<string> {
    const demandId = await this.subscribe('(golem.runtime.name=vm)', properties);
    const id = await this.confirm(await this.draft(demandId, properties));
    await this.expect(204, 'POST', `/market-api/v1/agreements/${id}/wait?timeout=5`);
    await this.expect(204, 'DELETE', `/market-api/v1/demands/${demandId}`);
    return id;
  }

  async activity(agreementId: string): Promise<string> {
    return (await this.expect(201, 'POST', '/activity-api/v1/activity', { agreementId })).activityId;
  }

  /** An activity that is ready for commands. */
  async ready(properties: object = {}): Promise<{ agreementId: string; activityId: string }> {
    const agreementId = await this.agree(properties);
    const activityId = await this.activity(agreementId);
    const results = await this.results(activityId, await this.exec(activityId, { deploy: {} }, { start: {} }));
    if (results.some(({ result }) => result === 'Error')) throw new Error(JSON.stringify(results));
    return { agreementId, activityId };
  }

  exec(activityId: string, ...commands: object[]): Promise<string> {
    const text = JSON.stringify(commands);
    return this.expect(200, 'POST', `/activity-api/v1/activity/${activityId}/exec`, { text });
  }

  /** Results of the batch once it has ended. */
  async results(activityId: string, batchId: string): Promise<CommandResult[]> {
    for (;;) {
      const path = `/activity-api/v1/activity/${activityId}/exec/${batchId}?timeout=5`;
      const results = (await this.expect(200, 'GET', path)) as CommandResult[];
      if (results.at(-1)?.isBatchFinished) return results;
    }
  }

  /** The result of the last command. */
  async run(activityId: string, ...commands: object[]): Promise<CommandResult> {
    return (await this.results(activityId, await this.exec(activityId, ...commands))).at(-1)!;
  }

  state(activityId: string): Promise<Answer> {
    return this.call('GET', `/activity-api/v1/activity/${activityId}/state`);
  }

  async end(agreementId: string): Promise<void> {
    const path = `/market-api/v1/agreements/${agreementId}/terminate`;
    await this.expect(204, 'POST', path, { message: 'done' });
  }

  agreementEvents(after?: string, session?: string): Promise<Answer['body'][]> {
    const query = new URLSearchParams({ timeout: '5', maxEvents: '100' });
    if (after !== undefined) query.set('afterTimestamp', after);
    if (session !== undefined) query.set('appSessionId', session);
    return this.expect(200, 'GET', `/market-api/v1/agreementEvents?${query}`);
  }

  invoices(): Promise<Answer['body'][]> {
    return this.expect(200, 'GET', '/payment-api/v1/invoices?maxItems=100');
  }

  debitNotes(): Promise<Answer['body'][]> {
    return this.expect(200, 'GET', '/payment-api/v1/debitNotes?maxItems=100');
  }
}
