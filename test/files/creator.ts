import { makeEntries } from '../../src/core/record.ts'
import { fileStore } from '../../src/stores/file.ts'

// Started by a test as a process of its own: creates records of some size under ids that the test polls for.

const [folder = '', count = ''] = process.argv.slice(2)
const store = fileStore(folder)
for (let n = 0; n < Number(count); n += 1) {
  const entries = Object.assign(makeEntries(), { 'd:first': String(n), 'd:long': 'x'.repeat(30_000), 'd:last': String(n) })
  await store.create(`poll-${n}`, { version: 1, createdAt: 1, touchedAt: 1, expiresAt: 1000, tokenHash: 'hash', nonce: 'n', index: [], entries })
}
