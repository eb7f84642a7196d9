export { type RunningMesh, type StartMeshOptions, startMesh } from './start-mesh.js';
export { TestClock, type TestClockOptions } from './test-clock.js';
