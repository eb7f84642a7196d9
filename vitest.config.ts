import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^furrow$/, replacement: source('./src/index.ts') },
      { find: /^furrow\/foxglove$/, replacement: source('./src/bridges/foxglove/index.ts') },
      { find: /^furrow\/recording$/, replacement: source('./src/recording/index.ts') },
      { find: /^furrow\/golem$/, replacement: source('./src/golem/index.ts') },
      { find: /^furrow\/testing$/, replacement: source('./src/testing/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make real processes slower to start.
    maxWorkers: 2,
    // No module of ours has state, and loading them anew for each file takes longer than many of the tests.
    isolate: false,
  },
});
