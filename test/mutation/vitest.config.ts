import { defineConfig } from 'vitest/config'

// The tests of the core that need no server and no other process, and do not look at the sources: each mutant runs those that reach it.
export default defineConfig({
  resolve: { conditions: ['sojourn:source'] },
  ssr: { resolve: { conditions: ['sojourn:source', 'node'] } },
  test: {
    include: ['src/core/**/*.test.ts', 'src/stores/memory.test.ts', 'test/broken-stores/*.test.ts'],
    testTimeout: 20_000,
  },
})
