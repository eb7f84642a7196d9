import { Golem } from '../../src/golem/golem.js';
import { Service } from '../../src/golem/service.js';
import { vm } from '../../src/golem/vm.js';

/** A requestor that prints a line once its two instances run, and waits to be killed. */
class Plain extends Service {}

const [stateDir = ''] = process.argv.slice(2);
const golem = await Golem.open({ budget: 1, stateDir });
const payload = vm.repo({ imageHash: '0'.repeat(56), imageUrl: 'http://127.0.0.1/none.gvmi' });
const cluster = await golem.runService(Plain, { payload, numInstances: 2 });
cluster.instances$.subscribe((instances) => {
  if (instances.every(({ state }) => state === 'running')) process.stdout.write('running\n');
});
