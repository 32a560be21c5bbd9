import { isSessionError } from '../../src/core/errors.ts'
import { fileStore } from '../../src/stores/file.ts'

// Started by a test under a limit on the size of files, where write(2) writes less than it was asked to and
// then fails. Patches until a patch fails, and prints how many were acknowledged and what the failure was.

const [folder = '', id = ''] = process.argv.slice(2)
const store = fileStore(folder, { compactAt: 1024 * 1024 })
let acknowledged = 0
try {
  while (acknowledged < 1000) {
    const result = await store.patch(id, { now: 1, nonce: `n${acknowledged}`, set: [[`d:${acknowledged}`, 'x'.repeat(100 + acknowledged)]] })
    if (result.status !== 'ok') throw new Error(result.status)
    acknowledged += 1
  }
} catch (error) {
  const failure = isSessionError(error) ? { code: error.code, outcome: error.outcome, message: error.message } : { code: String(error) }
  process.stdout.write(JSON.stringify({ acknowledged, ...failure }))
}
