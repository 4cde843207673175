/** One suite for units (beside the code) and for everything under test/. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{proxy,control-api,cli,bookinfo,scripts,bench,test}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    setupFiles: ['test/kit/seed.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default'],
  },
});
