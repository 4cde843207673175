/** One suite for units (beside the code) and for everything under test/; the mesh in containers comes last, one file after the other. */
import { defineConfig } from 'vitest/config';

const CONTAINERS = 'test/compose/**/*.test.ts';

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default'],
    setupFiles: ['test/kit/seed.ts'],
    exclude: ['**/node_modules/**'],
    projects: [
      {
        extends: true,
        test: {
          name: 'processes',
          include: ['{proxy,control-api,cli,bookinfo,scripts,bench,test}/**/*.test.ts'],
          exclude: ['**/node_modules/**', CONTAINERS],
        },
      },
      {
        // Each file starts some twenty-five containers; two at once would only measure how busy the machine is.
        extends: true,
        test: {
          name: 'containers',
          include: [CONTAINERS],
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 90_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
