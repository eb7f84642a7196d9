import { Observable, type OperatorFunction } from 'rxjs';
import { MeshError } from '../base/errors.js';
import type { MeshEvent } from '../messages/mesh-event.js';
import { forward } from './forward.js';

export interface MessagesOptions {
  /**
   * Called for each event whose payload cannot be decoded; the stream goes on without it. Without this callback such
   * an event ends the stream with its error.
   */
  readonly onError?: (error: MeshError, event: MeshEvent) => void;
}

/**
 * The decoded payloads of events. `T` is what the caller knows of the path's type; nothing checks it, see `ofType`.
 * Errors, unless `onError` is given: `data-loss` for a payload that is not of its type or not of its length,
 * `not-found` for a type that the registry does not know.
 *
 * @example
 * client.subscribe('/sample').pipe(messages<{ sample: number }>()).subscribe(({ sample }) => console.log(sample));
 */
export function messages<T>(options: MessagesOptions = {}): OperatorFunction<MeshEvent, T> {
  return (events) =>
    new Observable((subscriber) =>
      forward(events, subscriber, (event) => {
        let message: T;
        try {
          message = decode(event) as T;
        } catch (error) {
          if (options.onError === undefined) throw error;
          options.onError(MeshError.from(error), event);
          return;
        }
        subscriber.next(message);
      }),
    );
}

function decode(event: MeshEvent): unknown {
  const { message } = event;
  // The payload itself, not a copy, is what an event of an unknown type has for a message.
  if (message !== event.payload) return message;
  throw new MeshError(
    'not-found',
    `event ${event.sequence} of ${event.service}${event.path} is of type "${event.type}", which is not known; add the directory of its .proto file`,
  );
}
