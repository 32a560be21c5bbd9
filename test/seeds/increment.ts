// One of several processes: adds one to `n` of a session, 250 times. Arguments: the store's name, its place, the token.
import { createSessions } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

const [, , name, place = '', token = ''] = process.argv
const sessions = createSessions<{ n: number }>({ store: name === 'file' ? fileStore(place) : sqliteStore(place), sweepEvery: 'never' })
const session = await sessions.load(token)
for (let done = 0; done < 250; done += 1) await session?.update('n', (n = 0) => n + 1)
await sessions.close()
