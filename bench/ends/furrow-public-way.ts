import type { Workload } from '../workload.js';
import { openPublisher as open } from './furrow.js';
import type { PublisherEnd } from './types.js';

export { openSubscriber } from './furrow.js';

/** Furrow as it is where grpc-js does not show the stream of a call. */
export function openPublisher(workload: Workload, port: number): Promise<PublisherEnd> {
  return open(workload, port, { publicWay: true });
}
