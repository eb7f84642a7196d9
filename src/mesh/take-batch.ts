import type { MeshEvent } from '../messages/mesh-event.js';
import type { MessageBlock } from '../wire/types.js';

/** Takes the events that lie ready; a promise is waited for before the next come. */
export type TakeBatch<T> = (batch: readonly MeshEvent<T>[]) => void | Promise<void>;

/** The program failed, not the stream. */
export class TakeFailure extends Error {}

/** Gives a batch to a program. Errors: `TakeFailure`, whose cause is what the program threw. */
function taken<T>(take: TakeBatch<T>, batch: readonly MeshEvent<T>[]): void | Promise<void> {
  try {
    return take(batch)?.catch(failed);
  } catch (error) {
    return failed(error);
  }
}

/** Gives several batches, one behind the other. Errors: as `taken`. */
export function takenInTurn<T>(
  take: TakeBatch<T>,
  batches: readonly (readonly MeshEvent<T>[])[],
  from = 0,
): void | Promise<void> {
  for (let index = from; index < batches.length; index++) {
    const taking = taken(take, batches[index]!);
    if (taking !== undefined) return taking.then(() => takenInTurn(take, batches, index + 1));
  }
}

/** When the program has taken them, lent events are given back, and the memory that they lie in. */
export function givenBack(
  taking: void | Promise<void>,
  batches: readonly (readonly MeshEvent[])[],
  blocks: readonly MessageBlock[],
): void | Promise<void> {
  const giveBack = (): void => {
    for (const events of batches) for (const event of events) event.giveBack();
    for (const { memory } of blocks) memory.release();
  };
  return taking === undefined ? giveBack() : taking.then(giveBack);
}

function failed(cause: unknown): never {
  throw new TakeFailure('', { cause });
}
