import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['sojourn:source'] },
  ssr: { resolve: { conditions: ['sojourn:source', 'node'] } },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 300_000,
    coverage: { provider: 'v8', include: ['src/core/**'], exclude: ['**/*.test.ts', '**/*.test-d.ts'], reporter: ['text', 'json-summary'], thresholds: { lines: 95 } },
  },
})
