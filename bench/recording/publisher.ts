import { EventService } from 'furrow';
import { publisherConfig, recordedPath } from './record-cases.js';

/* A publisher that sends as fast as those who asked for every event take them; tells its parent the port. */

const service = new EventService(publisherConfig(0));
await service.start();
process.send?.(service.port);
const message = { text: 'x'.repeat(60), val: 1.5 };
for (;;) {
  const published = service.publish(recordedPath, message);
  const result = await published;
  if (result.subscribers === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
