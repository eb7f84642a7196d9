import { setTimeout as sleep } from 'node:timers/promises';
import { arg, serviceMain } from 'furrow';

/*
 * An agent: several tasks that publish samples on /sample, for as long as there is something left to do. What is
 * left comes by request on /update_residual; at 0 the tasks pause, and go on when it grows again.
 */
await serviceMain({
  args: {
    rate: arg.number({ min: 0.001, max: 10_000, unit: 'Hz', description: 'samples a second of each task' }),
    num_tasks: arg.integer({ min: 1, max: 1000, description: 'tasks that sample at the same time' }),
  },

  async run({ service, args, logger, print, signal }) {
    let residual = Number.POSITIVE_INFINITY;
    let resume: () => void = () => undefined;
    let resumed = Promise.resolve();

    service.onRequest('/update_residual', (value: number) => {
      const paused = residual <= 0;
      residual = value;
      logger.info(`Remainder: ${value}`);
      if (value > 0) {
        resume();
      } else if (!paused) {
        logger.info('paused: nothing remains; waiting for /update_residual');
        resumed = new Promise((resolve) => {
          resume = resolve;
        });
      }
    });
    await service.start();
    signal.addEventListener('abort', () => resume(), { once: true });

    const task = async (taskId: number): Promise<void> => {
      const periodMs = 1000 / args.rate;
      let due = performance.now();
      while (!signal.aborted) {
        while (residual <= 0 && !signal.aborted) await resumed;
        if (signal.aborted) return;
        const sample = Math.random();
        await service.publish('/sample', { sample, task_id: taskId });
        print(`Published sample ${sample} from task ${taskId}`);
        // From due time to due time, so that the rate is kept; after a pause from now on.
        due = Math.max(due + periodMs, performance.now());
        await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: args.num_tasks }, (_, taskId) => task(taskId)));
  },
});
