import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { continuations } from '../../src/continuations/index.ts'
import { createSessions, memoryStore, SessionError, type Patch, type PatchResult, type SessionsOptions, type Store } from '../../src/index.ts'
import { sealingCodec } from '../../src/security/index.ts'
import { cacheStore } from '../../src/stores/cache.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { fileStore } from '../../src/stores/file.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { Visitor } from '../internal/visitor.ts'
import { temporaryFolder } from '../servers/process.ts'

type Options = SessionsOptions<Record<string, unknown>>

const STORES: readonly (readonly [name: string, options: (folder: string) => Options])[] = [
  ['the memory store', () => ({ store: memoryStore() })],
  ['the SQLite store', (folder) => ({ store: sqliteStore(join(folder, 'sessions.db')) })],
  ['the file store', (folder) => ({ store: fileStore(join(folder, 'sessions')) })],
  ['a cache', () => ({ store: cacheStore(new Map()) })],
  ['sealed cookies', () => ({ store: cookieStore({ keys: [randomBytes(32)] }) })],
  ['sealed entries', () => ({ codec: sealingCodec([randomBytes(32)]) })],
  ['every change committed at once', () => ({ commit: 'immediate' })],
]

describe.each(STORES)('with %s', (_name, options) => {
  it('a visitor comes back from a login to the order that it interrupted, once', async () => {
    const folder = await temporaryFolder('continuations')
    const sessions = createSessions({ ...options(folder.path), continuations: continuations() })
    const visitor = new Visitor(sessions)
    const { result: login } = await visitor.visit(({ continuations: one }) => one.save({ to: '/login' }), { method: 'POST', url: '/order?x=1', body: { item: 'tea' } })
    const { result: back } = await visitor.visit(async (session) => { await session.login('ada'); return session.continuations.return({ values: { n: 1 } }) }, { url: login })
    const arrived = async (): Promise<unknown> => (await visitor.visit(({ continuations: one }) => one.arrived, { url: back })).result
    expect(await arrived()).toMatchObject({ method: 'POST', url: '/order?x=1', fields: { item: 'tea' }, values: { n: 1 } })
    expect(await arrived()).toBeUndefined()
    await sessions.close()
    await folder.remove()
  })

  it('no body that a visitor sends makes a request fail', async () => {
    const folder = await temporaryFolder('continuations')
    const sessions = createSessions({ ...options(folder.path), continuations: continuations() })
    const visitor = new Visitor(sessions)
    for (let round = 0; round < 40; round += 1) {
      const body = { text: '"\\ä\u0000'.repeat((round * round * 7) % 3000), [`f${round}`]: 'x' }
      await visitor.visit(({ continuations: one }) => one.save({ to: '/login' }), { method: 'POST', url: `/order?round=${round}`, body })
    }
    const { result: kept } = await visitor.visit(({ continuations: one }) => one.keys().length)
    expect(kept).toBeGreaterThan(0)
    await sessions.close()
    await folder.remove()
  })
})

describe('when the store fails as a visitor arrives', () => {
  const failing = (inner: Store): { readonly store: Store; fail: boolean } => {
    const state = {
      fail: false,
      store: new Proxy(inner, { get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (name === 'patch') return (id: string, patch: Patch): PatchResult | Promise<PatchResult> => (state.fail ? Promise.reject(new SessionError('ERR_SESSION_STORE', 'The store is down. Wait.', { outcome: 'none' })) : Promise.resolve(inner.patch(id, patch)))
        return typeof value === 'function' ? value.bind(target) : value
      } }),
    }
    return state
  }

  it.each([['fail', 'ERR_SESSION_STORE'], ['degrade', undefined]] as const)('the request does what onStoreError says: %s', async (onStoreError, code) => {
    const state = failing(memoryStore())
    const sessions = createSessions({ store: state.store, onStoreError, continuations: continuations() })
    const visitor = new Visitor(sessions)
    const { result: login } = await visitor.visit(({ continuations: one }) => one.save({ to: '/login' }), { method: 'POST', url: '/order', body: { item: 'tea' } })
    const { result: back } = await visitor.visit(({ continuations: one }) => one.return(), { url: login })
    state.fail = true
    const visit = visitor.visit(({ continuations: one }) => one.arrived, { url: back })
    if (code === undefined) expect((await visit).result).toBeUndefined()
    else await expect(visit).rejects.toMatchObject({ code })
    state.fail = false
    // It was not taken, so the visitor can try again.
    expect((await visitor.visit(({ continuations: one }) => one.arrived, { url: back })).result).toMatchObject({ fields: { item: 'tea' } })
    await sessions.close()
  })
})
