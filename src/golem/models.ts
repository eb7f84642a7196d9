import { z } from 'zod';
import { property, propertyModel, wireDate } from './property-model.js';

const text = z.string();
const count = z.number();
const flag = z.boolean();
const toMs = (date: Date | undefined) => date?.getTime();

/** Who a node is, and the subnet in which demands and offers meet. */
export const NodeInfo = propertyModel('NodeInfo', {
  /** Human-readable name. */
  name: property('golem.node.id.name', text.optional()),
  subnetTag: property('golem.node.debug.subnet', text.optional()),
});

/** Limits of an activity. */
export const Activity = propertyModel('Activity', {
  /** Hard limit of its total cost, GLM; the provider may end the activity beyond it. */
  costCap: property('golem.activity.cost_cap', count.optional()),
  /** Soft limit, GLM; the provider sends a debit note when it is reached. */
  costWarning: property('golem.activity.cost_warning', count.optional()),
  /** Seconds a batch may take. */
  timeoutSecs: property('golem.activity.timeout_secs', count.optional()),
  /** When the activity ends by itself. */
  expiration: property('golem.srv.comp.expiration', wireDate.optional(), toMs),
  /** More than one activity an agreement. */
  multiActivity: property('golem.srv.caps.multi-activity', flag.optional()),
});

/** How an offer is paid. */
export const Com = propertyModel('Com', {
  scheme: property('golem.com.scheme', text.optional()),
  priceModel: property('golem.com.pricing.model', text.optional()),
  paymentPlatform: property('golem.com.payment.chosen-platform', text.optional()),
});

/** The linear price model: coefficients in the order of the usage vector, and last the fixed start price. */
export const ComLinear = propertyModel('ComLinear', {
  scheme: property('golem.com.scheme', text.optional()),
  priceModel: property('golem.com.pricing.model', z.literal('linear')),
  /** GLM for one unit of each counter; one longer than `usageVector`, the last is the start price. */
  linearCoeffs: property('golem.com.pricing.model.linear.coeffs', z.array(count)),
  /** `golem.usage.duration_sec`, `golem.usage.cpu_sec`, … */
  usageVector: property('golem.com.usage.vector', z.array(text)),
});

/** The machine. */
export const Inf = propertyModel('Inf', {
  memGib: property('golem.inf.mem.gib', count.optional()),
  storageGib: property('golem.inf.storage.gib', count.optional()),
  cpuCores: property('golem.inf.cpu.cores', count.optional()),
  cpuThreads: property('golem.inf.cpu.threads', count.optional()),
  cpuArchitecture: property('golem.inf.cpu.architecture', text.optional()),
});

/** What runs a payload. */
export const Runtime = propertyModel('Runtime', {
  name: property('golem.runtime.name', text.optional()),
  version: property('golem.runtime.version', text.optional()),
  capabilities: property('golem.runtime.capabilities', z.array(text).optional()),
});

/** An image for the VM runtime. */
export const VmRequest = propertyModel('VmRequest', {
  /** `hash:sha3:<hash>:<url>` */
  packageUrl: property('golem.srv.comp.task_package', text),
  packageFormat: property('golem.srv.comp.vm.package_format', text.optional()),
});
