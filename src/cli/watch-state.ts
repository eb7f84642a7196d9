import type { EventClient } from '../mesh/event-client.js';
import type { Output } from './output.js';

/** Says once that a service is away, and once that it is back. Gives the function that ends the watch. */
export function watchState(client: EventClient, out: Output): () => void {
  let away = false;
  const subscription = client.state$.subscribe(({ status, reason = '' }) => {
    if (status === 'away' && !away) {
      away = true;
      out.note(`waiting for ${client.name}: ${reason}`, { service: client.name, state: 'away' });
    } else if (status === 'connected' && away) {
      away = false;
      out.note(`${client.name} is there`, { service: client.name, state: 'connected' });
    }
  });
  return () => subscription.unsubscribe();
}
