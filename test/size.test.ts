import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { expect, it } from 'vitest'

const root = dirname(import.meta.dirname)

/** Bytes of a module with all it imports, Node's own modules excepted, minified and compressed. */
async function transferSize(file: string): Promise<number> {
  const bundle = await rolldown({ input: join(root, file), platform: 'node', external: [/^node:/], logLevel: 'silent' })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  const code = output.map((part) => (part.type === 'chunk' ? part.code : '')).join('\n')
  // A bundle that leaves a dependency out would be small and useless.
  expect(code).not.toMatch(/\bfrom\s*["'](?!node:)/)
  return gzipSync(code, { level: 9 }).byteLength
}

it('importing sojourn stays within its budget, minified and compressed, with all dependencies', async () => {
  const bytes = await transferSize('src/index.ts')
  console.log(`sojourn: ${bytes} bytes minified and compressed`)
  expect(bytes).toBeGreaterThan(3000)
  expect(bytes).toBeLessThanOrEqual(30_500)
})
