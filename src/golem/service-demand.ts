import type { GolemDaemon } from './daemon.js';
import { DemandBuilder } from './demand-builder.js';
import { Activity, NodeInfo, Runtime } from './models.js';
import type { Payload } from './payload.js';
import type { DemandSpec } from './properties.js';
import type { MarketStrategy } from './strategy.js';

export interface ServiceDemand {
  readonly daemon: GolemDaemon;
  readonly payload: Payload;
  readonly strategy: MarketStrategy;
  readonly allocationId: string;
  readonly expiration: Date;
  readonly subnetTag: string;
  /** Our own name, for providers to see. */
  readonly nodeName: string;
  readonly needsNetwork: boolean;
}

/** The demand of a service: who asks, until when, how it is paid, what is to run, and what the strategy adds. */
export async function composeDemand(options: ServiceDemand): Promise<DemandSpec> {
  const { daemon, payload, strategy, allocationId, expiration, subnetTag, nodeName } = options;
  const builder = new DemandBuilder();
  builder.add(NodeInfo.of({ name: nodeName, subnetTag }));
  builder.ensure(`(${NodeInfo.keys.subnetTag}=${subnetTag})`);
  builder.add(Activity.of({ expiration, multiActivity: true }));
  // Running totals every two minutes, which providers may insist on having accepted within two more.
  builder.set('golem.com.payment.debit-notes.accept-timeout?', 120);
  builder.set('golem.com.scheme.payu.debit-note.interval-sec?', 120);
  builder.set('golem.com.scheme.payu.payment-timeout-sec?', 43_200);
  const { properties, constraints } = await daemon.payment.demandDecorations(allocationId);
  builder.add({ properties });
  for (const constraint of constraints) builder.ensure(constraint);
  if (options.needsNetwork) builder.ensure(`(${Runtime.keys.capabilities}=vpn)`);
  await payload.decorateDemand(builder);
  await strategy.decorateDemand(builder);
  return builder.build();
}
