import { randomFillSync } from 'node:crypto'
import { makeEntries, type SessionRecord } from '../src/core/record.ts'
import { memoryStore } from '../src/stores/memory.ts'

/** What a session of a measurement is made of. */
interface Kind {
  readonly keys: readonly string[]
  readonly value: () => string
  readonly owner?: boolean
  readonly rotated?: boolean
}

const kinds: Readonly<Record<string, Kind>> = {
  plain: { keys: ['d:data'], value: () => letters(200) },
  'eight keys': { keys: ['d:user', 'd:cart', 'd:theme', 'd:views', 'd:locale', 'd:last', 'd:referrer', 'd:basket'], value: () => letters(124) },
  owned: { keys: ['d:data', 'm:owner', 'm:authenticatedAt'], value: () => letters(66), owner: true, rotated: true },
  wide: { keys: ['d:data'], value: () => Buffer.from(`漢${letters(98)}`, 'utf16le').toString('utf16le') },
}

const pool = Buffer.alloc(1 << 20)
let taken = pool.length

/** A random text in one piece. From a pool, since asking for a few bytes a million times takes long. */
function text(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (taken + bytes > pool.length) {
    randomFillSync(pool)
    taken = 0
  }
  taken += bytes
  return pool.toString(encoding, taken - bytes, taken)
}

function letters(length: number): string {
  return text(length / 2, 'hex')
}

function heap(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function newRecord({ keys, value, owner }: Kind, n: number): SessionRecord {
  const entries = makeEntries()
  for (const key of keys) entries[key] = value()
  const now = 1_700_000_000_000 + n * 7
  const index = owner === true ? [text(32, 'base64url')] : []
  return { version: 1, createdAt: now, touchedAt: now, expiresAt: now + 1_800_000, tokenHash: text(32, 'base64url'), nonce: `abcdefgh.${n.toString(36)}`, index, entries }
}

/** Fills a store with so many sessions, in steps short enough to collect in between, and prints what it accounts for and what the heap grew by. */
function measure(name: string, sessions: number): void {
  const kind = kinds[name]
  if (kind === undefined) throw new RangeError(`there is no kind ${name}`)
  const warm = memoryStore()
  for (let n = 0; n < 1000; n += 1) warm.create(`warm-${n}`, newRecord(kind, n))
  warm.close()
  const before = heap()
  const store = memoryStore({ maxSessions: sessions, maxBytes: Infinity })
  for (let n = 0; n < sessions; n += 1) {
    const id = text(16, 'base64url')
    const record = newRecord(kind, n)
    store.create(id, record)
    if (kind.rotated === true) store.patch(id, { now: record.createdAt, nonce: `abcdefgi.${n.toString(36)}`, rotateTo: text(32, 'base64url') })
  }
  const grown = heap() - before
  const accounted = store.bytes
  const content = kind.keys.length * kind.value().length * (name === 'wide' ? 2 : 1) + kind.keys.join('').length
  console.log(JSON.stringify({ name, sessions, size: store.size, grown, accounted, overhead: grown / sessions - content }))
  store.close()
}

measure(process.argv[2] ?? 'plain', Number(process.argv[3] ?? 1_000_000))
