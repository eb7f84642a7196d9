import { rmSync } from 'node:fs';
import { MeshError } from '../base/errors.js';
import { parseAmount } from './amount.js';
import type { GolemDaemon } from './daemon.js';
import type { Emit } from './events.js';
import { type Leftover, leftovers } from './journal.js';
import type { GolemLogger } from './logger.js';
import { Payments } from './payments.js';

export interface RecoveryOptions {
  readonly daemon: GolemDaemon;
  readonly identity: string;
  readonly stateDir: string;
  readonly emit: Emit;
  readonly logger: GolemLogger;
  /** How long the last invoices are waited for. Default 30,000. */
  readonly invoiceTimeoutMs?: number | undefined;
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was cleaned up after one killed requestor. */
export interface RecoveryReport {
  readonly appSessionId: string;
  readonly allocationId: string;
  readonly terminatedAgreements: readonly string[];
  /** Payable agreements whose invoice never came. */
  readonly missingInvoices: readonly string[];
  /** Absent when the allocation is released. */
  readonly error?: MeshError;
}

/**
 * Cleans up after requestors that were killed, by the journals they left: removes their demands, terminates their
 * agreements, accepts the invoices still open within what is left of their budget, and releases their allocations.
 * Journals of another daemon or identity are left alone.
 */
export async function recover(options: RecoveryOptions): Promise<readonly RecoveryReport[]> {
  const { daemon, identity, stateDir, logger } = options;
  const found = leftovers(stateDir, (path, why) => logger.warn(`Journal ${path} cannot be read: ${why}`)).filter(
    ({ entry }) => entry.daemonUrl === daemon.url && entry.identity === identity,
  );
  return Promise.all(found.map((leftover) => recoverOne(leftover, options)));
}

async function recoverOne({ path, entry }: Leftover, options: RecoveryOptions): Promise<RecoveryReport> {
  const { daemon, emit, logger, signal } = options;
  const { allocationId, appSessionId } = entry;
  const terminated: string[] = [];
  let missingInvoices: readonly string[] = [];
  const report = () => ({ appSessionId, allocationId, terminatedAgreements: terminated, missingInvoices });
  try {
    await Promise.all(entry.demands.map((id) => ignoreGone(daemon.market.removeDemand(id, { signal }))));
    const allocation = await daemon.payment.allocation(allocationId, { signal }).catch((error) => {
      if (error instanceof MeshError && error.code === 'not-found') return undefined;
      throw error;
    });
    const agreements = Object.entries(entry.agreements);
    const payments =
      allocation &&
      new Payments({
        daemon,
        allocation,
        emit,
        logger,
        budget: parseAmount(entry.budget),
        accepted: new Map(agreements.map(([id, { accepted }]) => [id, parseAmount(accepted)])),
      });
    for (const [agreementId, { open, startMs }] of agreements) {
      if (!open) continue;
      const agreement = await daemon.market.agreement(agreementId, { signal }).catch(() => undefined);
      if (!agreement) continue;
      if (agreement.state === 'Approved') {
        await ignoreGone(daemon.market.terminateAgreement(agreementId, 'The requestor was interrupted', { signal }));
        terminated.push(agreementId);
      }
      payments?.watch(agreement, startMs);
      if (agreement.state === 'Approved' || agreement.state === 'Terminated') payments?.markPayable(agreementId);
    }
    const { invoiceTimeoutMs: timeoutMs, pollMs } = options;
    missingInvoices =
      (await payments?.settle({
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(pollMs === undefined ? {} : { pollMs }),
        ...(signal ? { signal } : {}),
      })) ?? [];
    await payments?.release();
    rmSync(path, { force: true });
    return report();
  } catch (error) {
    logger.warn(`Cleaning up after requestor ${appSessionId}: ${MeshError.from(error).message}`);
    return { ...report(), error: MeshError.from(error) };
  }
}

async function ignoreGone(call: Promise<void>): Promise<void> {
  await call.catch((error) => {
    if (!(error instanceof MeshError) || error.code === 'unavailable') throw error;
  });
}
