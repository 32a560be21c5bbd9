import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { isSessionError } from '../../src/core/errors.ts'
import type { Patch } from '../../src/core/patch.ts'
import { makeEntries, type SessionRecord } from '../../src/core/record.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { Visitor } from '../internal/visitor.ts'
import type { LossyLine } from '../servers/lossy-line.ts'

const NOW = Date.now()

export function newRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  return { version: 1, createdAt: NOW, touchedAt: NOW, expiresAt: NOW + 3_600_000, tokenHash: 'hash', nonce: nonce(), index: [], entries: makeEntries(), ...changes }
}

export function newPatch(changes: Partial<Patch> = {}): Patch {
  return { now: NOW, nonce: nonce(), ...changes }
}

export function newId(): string {
  return randomBytes(16).toString('base64url')
}

function nonce(): string {
  return randomBytes(12).toString('base64url')
}

/** Many writers compare and set one entry. Every conflict must show a record that is newer than the one its patch was made from. */
export async function assertConflictsShowTheWinner(stores: readonly Store[], { writers, each }: { readonly writers: number; readonly each: number }): Promise<void> {
  const [first] = stores
  assert.ok(first !== undefined)
  const id = newId()
  await first.create(id, newRecord({ entries: { 'd:n': '0' } }))
  let conflicts = 0
  await Promise.all(Array.from({ length: writers }, async (_, n) => {
    const store = stores[n % stores.length] ?? first
    let basis = await store.read(id)
    for (let done = 0; done < each; ) {
      assert.ok(basis !== undefined)
      const seen = basis.entries['d:n'] ?? ''
      const result = await store.patch(id, newPatch({ expect: [['d:n', seen]], set: [['d:n', String(Number(seen) + 1)]] }))
      assert.notEqual(result.status, 'gone')
      if (result.status === 'ok') done += 1
      if (result.status === 'conflict') {
        conflicts += 1
        assert.ok(result.record.version > basis.version, 'the record in a conflict is newer than the one the patch was made from')
        assert.notEqual(result.record.entries['d:n'], seen, 'the record in a conflict does not meet the expectation')
      }
      basis = result.status === 'conflict' ? result.record : await store.read(id)
    }
  }))
  assert.ok(conflicts > 0, 'there were conflicts')
  const last = await first.read(id)
  assert.deepEqual([last?.entries['d:n'], last?.version], [String(writers * each), writers * each + 1])
}

export interface Outage {
  readonly store: Store
  kill(): Promise<void>
  restart(): Promise<void>
}

const WRITERS = 8

/**
 * Kills the server while eight writers write, each under a key of its own, and starts it again. Every writer must see
 * ERR_SESSION_STORE, then write on through the same store; nothing acknowledged may be missing, and nothing may be there
 * that was said to have changed nothing.
 */
export async function assertSurvivesAnOutage({ store, kill, restart }: Outage): Promise<{ readonly errors: number; readonly unknown: number }> {
  const id = newId()
  await store.create(id, newRecord())
  let wrote = 0
  let down = 0
  let errors = 0
  let unknown = 0
  const failing = Promise.withResolvers<void>()
  const busy = Promise.withResolvers<void>()
  const up = Promise.withResolvers<void>()
  // What may be stored under each writer's key: the last acknowledged text, and those after it whose outcome is unknown.
  const possible = Array.from({ length: WRITERS }, () => new Set<string | undefined>([undefined]))

  const writer = async (n: number): Promise<void> => {
    const mine = possible[n]
    assert.ok(mine !== undefined)
    let afterwards = 0
    let failed = false
    for (let count = 0; afterwards < 10; count += 1) {
      const text = `${n}.${count}`
      try {
        const result = await store.patch(id, newPatch({ set: [[`d:${n}`, text]] }))
        assert.equal(result.status, 'ok')
        mine.clear()
        mine.add(text)
        if (failed) afterwards += 1
        if ((wrote += 1) === 200) busy.resolve()
      } catch (error) {
        assert.ok(isSessionError(error, 'ERR_SESSION_STORE'), String(error))
        assert.ok(error.cause !== undefined)
        errors += 1
        if (error.outcome === 'unknown') {
          unknown += 1
          mine.add(text)
        } else assert.equal(error.outcome, 'none')
        if (!failed && (down += 1) === WRITERS) failing.resolve()
        failed = true
        await up.promise
      }
    }
  }
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)))
  await Promise.race([busy.promise, writers])
  await kill()
  await Promise.race([failing.promise, writers])
  await assert.rejects(async () => store.read(id), (error) => isSessionError(error, 'ERR_SESSION_STORE') && error.outcome === 'none')
  await restart()
  const found = await readOnceItIsUp(store, id)
  for (const [n, texts] of possible.entries()) assert.ok(texts.has(found?.entries[`d:${n}`]), `key ${n} holds ${found?.entries[`d:${n}`]}, not ${[...texts].join(' or ')}`)
  up.resolve()
  await writers
  const last = await store.read(id)
  for (const [n, texts] of possible.entries()) assert.ok(texts.has(last?.entries[`d:${n}`]))
  return { errors, unknown }
}

// A pool may find out only now that its connections are broken, one by one.
async function readOnceItIsUp(store: Store, id: string): Promise<SessionRecord | undefined> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await store.read(id)
    } catch (error) {
      if (tries === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/**
 * Loses the server's answer to a commit. The store must say that it does not know, must not send again by itself, and must
 * recognise the patch when it is sent again.
 */
export async function assertLostAnswerIsUnknown(store: Store, line: LossyLine): Promise<void> {
  const id = newId()
  await store.create(id, newRecord())
  const patch = newPatch({ set: [['d:n', '1']] })
  line.loseAnswerTo(patch.nonce)
  await assert.rejects(async () => store.patch(id, patch), (error) => isSessionError(error, 'ERR_SESSION_STORE') && error.outcome === 'unknown' && error.cause !== undefined)
  const found = await readOnceItIsUp(store, id)
  assert.deepEqual([found?.version, found?.nonce, found?.entries['d:n']], [2, patch.nonce, '1'])
  assert.deepEqual(await store.patch(id, patch), { status: 'ok', version: 2 })
}

/** How many statements the server ran for each of a visitor's requests. `count` tells how many it has run so far. */
export async function statementsPerRequest(store: Store, count: () => Promise<number>): Promise<Readonly<Record<string, number>>> {
  const sessions = createSessions<{ name: string }>({ store, sweepEvery: 'never' })
  const visitor = new Visitor<{ name: string }>(sessions)
  const costs: Record<string, number> = {}
  const measure = async (name: string, request: () => Promise<unknown>): Promise<void> => {
    const before = await count()
    await request()
    costs[name] = (await count()) - before
  }
  // The store opens with the first call that needs it.
  await new Visitor(sessions).visit((session) => session.set('name', 'first'))
  await measure('anonymous', () => new Visitor(sessions).visit((session) => session.get('name')))
  await measure('first write', () => visitor.visit((session) => session.set('name', 'Ada')))
  await measure('reading', () => visitor.visit((session) => session.get('name')))
  await measure('writing', () => visitor.visit((session) => session.set('name', 'Grace')))
  await measure('logout', () => visitor.visit((session) => session.logout()))
  await sessions.close()
  return costs
}
