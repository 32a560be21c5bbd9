import { writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import type { Patch, PatchResult } from '../../src/core/patch.ts'
import { makeEntries, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'

/** What a job knows of the run it is part of. */
export interface Part {
  readonly index: number
  readonly count: number
  readonly input: Readonly<Record<string, string>>
  /** Resolves when every process of the run has come to it. */
  barrier(): Promise<void>
}

type Job = (store: Store, part: Part) => Promise<unknown>

export type JobName = 'set-keys' | 'increment' | 'late' | 'end-race' | 'create-one' | 'rotate' | 'write-until-killed' | 'look'

const ROUNDS = 20
/** Where a rotation notes the token hash that it makes, in the same step. */
export const TOKEN_KEY = 'd:token'
// One clock for all processes of a run; its parent sets it.
const NOW = Number(process.env['SOJOURN_TEST_NOW'])
const FAR = NOW + 7 * 86_400_000

export const jobs: Readonly<Record<JobName, Job>> = {
  /** 100 keys, all under way at once. Answers how many are there afterwards. */
  async 'set-keys'(store, { index, count, barrier }) {
    const id = 'set-keys-AAAAAAAAAAAAA'
    if (index === 0) await store.create(id, record())
    await barrier()
    const mine = Array.from({ length: 100 }, (_, n) => n).filter((n) => n % count === index)
    const results = await Promise.all(mine.map(async (n) => store.patch(id, patch({ set: [[`d:${n}`, String(n)]], touchedAt: NOW + n }))))
    const written = results.filter(({ status }) => status === 'ok').length
    await barrier()
    const entries = (await store.read(id))?.entries ?? makeEntries()
    return { written, there: Object.keys(entries).filter((key) => key === `d:${entries[key]}`).length }
  },

  /** 250 compare-and-set increments of one entry. Answers the total. */
  async increment(store, { index, barrier }) {
    const id = 'increment-AAAAAAAAAAAA'
    if (index === 0) await store.create(id, record({ entries: entries('d:n', '0') }))
    await barrier()
    let seen = (await store.read(id))?.entries['d:n'] ?? ''
    for (let done = 0; done < 250; ) {
      const next = String(Number(seen) + 1)
      const result = await store.patch(id, patch({ expect: [['d:n', seen]], set: [['d:n', next]] }))
      if (result.status === 'gone') throw new Error('the record is gone')
      if (result.status === 'ok') done += 1
      seen = result.status === 'ok' ? next : result.record.entries['d:n'] ?? ''
    }
    await barrier()
    return Number((await store.read(id))?.entries['d:n'])
  },

  /** The first process holds a patch while the second makes the session end. Answers what became of the held patch, and what lives. */
  async late(store, { index, input, barrier }) {
    const id = 'late-AAAAAAAAAAAAAAAAA'
    if (index === 0) await store.create(id, record({ tokenHash: 'old' }))
    await barrier()
    const found = await store.read(id)
    const held = patch({ now: NOW + 10, tokenHash: found?.tokenHash ?? '', set: [['d:late', '1']], touchedAt: NOW + 10, expiresAt: FAR })
    await barrier()
    if (index === 1) await finish[input['by'] ?? '']?.(store, id)
    await barrier()
    const status = index === 0 ? (await store.patch(id, held)).status : undefined
    await barrier()
    const after = await store.read(id)
    return { status, late: after?.entries['d:late'], lives: after !== undefined && after.ended === undefined && after.expiresAt > NOW + 10 }
  },

  /** One process ends the session while the others write to it. Answers how many rounds left something alive. */
  async 'end-race'(store, { index, barrier }) {
    let alive = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `end-race-${String(round).padStart(13, 'A')}`
      if (index === 0) await store.create(id, record({ tokenHash: 'old' }))
      await barrier()
      if (index === 0) await store.end(id, 'revoked', NOW)
      else await Promise.all(Array.from({ length: 5 }, async (_, n) => store.patch(id, patch({ tokenHash: 'old', set: [[`d:${n}`, '1']] }))))
      await barrier()
      const after = await store.read(id)
      if (after !== undefined && after.ended === undefined) alive += 1
    }
    return alive
  },

  /** Every process creates the same ids. Answers which it won, and whether the winner’s record is there. */
  async 'create-one'(store, { index, barrier }) {
    const won: number[] = []
    const found: (string | undefined)[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `create-one-${String(round).padStart(11, 'A')}`
      await barrier()
      if (await store.create(id, record({ entries: entries('d:by', String(index)) }))) won.push(round)
      await barrier()
      found.push((await store.read(id))?.entries['d:by'])
    }
    return { won, found }
  },

  /** Every process rotates the same tokens. Answers which it won, and whose hash is there. */
  async rotate(store, { index, barrier }) {
    const won: number[] = []
    const found: (string | undefined)[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `rotate-${String(round).padStart(15, 'A')}`
      if (index === 0) await store.create(id, record({ tokenHash: 'old' }))
      await barrier()
      if ((await store.patch(id, patch({ tokenHash: 'old', rotateTo: `new-${index}` }))).status === 'ok') won.push(round)
      await barrier()
      found.push((await store.read(id))?.tokenHash)
    }
    return { won, found }
  },

  /** Writes until it is killed, and says before and after each write what it is: see kill-rounds.ts. */
  async 'write-until-killed'(store, { index, input }) {
    const round = input['round'] ?? ''
    for (let n = 0; ; n += 1) {
      const id = `killed-${String(n % 4).padStart(15, 'A')}`
      await store.create(id, record())
      await told({ id, key: `d:${index}`, value: `${round}.${n}` }, async (value) => store.patch(id, patch({ set: [[`d:${index}`, bulky(value)]] })))
      const brief = `brief-${index}-${round}-${n}`
      await told({ id: brief, value: 'live' }, async () => store.create(brief, record()))
      await told({ id: brief, value: 'ended' }, async () => store.end(brief, 'revoked', NOW))
      const rotated = `rotated-${index}-AAAAAAAAAAA`
      await store.create(rotated, record())
      const tokenHash = (await store.read(rotated))?.tokenHash ?? ''
      await told({ id: rotated, key: TOKEN_KEY, value: `${round}.${n}` }, async (value) => store.patch(rotated, patch({ tokenHash, rotateTo: value, set: [[TOKEN_KEY, bulky(value)]] })))
      if (n % 8 === 7) await store.sweep?.({ now: NOW + 120_000 }, 1000)
    }
  },

  /** Reads ids. Answers for each its token hash, its entries, and whether it has ended. */
  async look(store, { input }) {
    const ids: string[] = JSON.parse(input['ids'] ?? '[]')
    const seen: Record<string, unknown> = {}
    for (const id of ids) {
      const found = await store.read(id)
      seen[id] = found === undefined ? null : { ended: found.ended !== undefined, tokenHash: found.tokenHash, entries: { ...found.entries } }
    }
    return seen
  },
}

/** How a session can be over before a held patch comes: `NOW + 10` is the held patch's now. */
const finish: Readonly<Record<string, (store: Store, id: string) => PromiseLike<unknown> | unknown>> = {
  logout: (store, id) => store.end(id, 'destroyed', NOW),
  revoke: (store, id) => store.end(id, 'revoked', NOW),
  rotate: (store, id) => store.patch(id, patch({ tokenHash: 'old', rotateTo: 'new' })),
  expire: (store, id) => store.patch(id, patch({ tokenHash: 'old', expiresAt: NOW + 10, deadline: 'replace' })),
}

/** Long enough that most kills hit the write and not the report of it; a torn value is told by its length and its end. */
export function bulky(value: string): string {
  return `${value}${'.'.repeat(20_000)}${value}`
}

/** One line before the write and one after it, written synchronously: what the parent has read is what happened. */
async function told(what: { id: string; key?: string; value: string }, write: (value: string) => Promise<PatchResult | boolean>): Promise<void> {
  writeSync(1, `${JSON.stringify(what)}\n`)
  const answer = await write(what.value)
  if (answer !== true && (answer === false || answer.status !== 'ok')) throw new Error(`a write was refused: ${JSON.stringify(answer)}`)
  writeSync(1, 'acknowledged\n')
}

function record(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: FAR, tokenHash: 'hash', nonce: nonce(), index: [], entries: makeEntries(), ...changes }
}

function patch(changes: Partial<Patch>): Patch {
  return { now: NOW, nonce: nonce(), ...changes }
}

function entries(key: string, text: string): Record<string, string> {
  const made = makeEntries()
  made[key] = text
  return made
}

function nonce(): string {
  return randomBytes(12).toString('base64url')
}
