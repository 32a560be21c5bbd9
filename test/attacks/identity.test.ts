import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'vitest/node'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sameHash } from '../../src/core/token.ts'
import { createSessions, memoryStore, type SessionsOptions } from '../../src/index.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { movableClock } from '../../src/testing/clock.ts'
import { nodesOf } from '../internal/syntax.ts'
import { Visitor } from '../internal/visitor.ts'
import { cookieOf, post, startSite, type Data, type Site } from './site.ts'

const sites: Site[] = []
afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})
async function site(options?: SessionsOptions<Data>): Promise<Site> {
  const started = await startSite(options)
  sites.push(started)
  return started
}

const INVENTED = `${'B'.repeat(22)}.${'B'.repeat(43)}`

describe('session fixation', () => {
  it('a token that the attacker invented is never adopted', async () => {
    const store = memoryStore()
    const { ask } = await site({ store })
    const answer = await ask('/set', post({ a: 1 }, `sid=${INVENTED}`))
    expect(cookieOf(answer)).toMatch(/^sid=[\w-]{22}\.[\w-]{43}$/)
    expect(cookieOf(answer)).not.toContain('B'.repeat(22))
    expect(store.read('B'.repeat(22))).toBeUndefined()
  })

  it('a token that the attacker got for himself and planted is worthless once the victim has logged in', async () => {
    const { ask } = await site()
    const planted = cookieOf(await ask('/set', post({ a: 1 })))
    const victim = cookieOf(await ask('/login', post({ owner: 'victim' }, planted)))
    expect((await ask('/get', { cookie: victim })).body).toBe('{"owner":"victim","data":{"a":1}}')
    expect((await ask('/get', { cookie: planted })).body).toBe('{"owner":null,"data":{}}')
    await ask('/set', post({ a: 'changed' }, planted))
    expect((await ask('/get', { cookie: victim })).body).toBe('{"owner":"victim","data":{"a":1}}')
  })

  it('a request of the attacker that was under way at the login writes nothing into what it made', async () => {
    const sessions = createSessions<Data>({ sweepEvery: 'never' })
    const victim = new Visitor(sessions)
    await victim.visit((session) => session.set('a', 1))
    const attacker = new Visitor(sessions, victim.cookie)
    const held = await attacker.begin()
    await victim.visit((session) => session.login('victim'))
    held.session.set('a', 'changed')
    expect(await held.session.commit()).toBe('gone')
    expect(await held.finish()).toEqual([])
    expect((await victim.visit((session) => session.toObject())).result).toEqual({ a: 1 })
  })
})

describe('token guessing', () => {
  const guess = (n: number): string => `sid=${String(n).padStart(22, 'A')}.${'B'.repeat(43)}`

  it('tells event guessing once in a minute, from a hundred tokens on that fit nothing', async () => {
    const clock = movableClock()
    const { ask, events } = await site({ clock })
    const told = (): unknown[] => events.filter(({ name }) => name === 'guessing')
    for (let n = 0; n < 99; n += 1) await ask('/get', { cookie: guess(n) })
    expect(told()).toEqual([])
    for (let n = 99; n < 150; n += 1) await ask('/get', { cookie: guess(n) })
    expect(told()).toEqual([{ name: 'guessing', count: 100 }])
    clock.advance('1 minute')
    for (let n = 0; n < 100; n += 1) await ask('/get', { cookie: guess(n) })
    expect(told()).toHaveLength(2)
  })

  it('tells it also of one who knows an id and guesses its secret', async () => {
    const { ask, events } = await site()
    const id = cookieOf(await ask('/set', post({ a: 1 })))?.slice(4, 26)
    for (let n = 0; n < 100; n += 1) await ask('/get', { cookie: `sid=${id}.${String(n).padStart(43, 'A')}` })
    expect(events.at(-1)).toEqual({ name: 'guessing', count: 100 })
  })

  it('tells nothing of a busy site where old tokens turn up, nor of one where they come slowly', async () => {
    const clock = movableClock()
    const sessions = createSessions<Data>({ clock, sweepEvery: 'never' })
    const told = vi.fn()
    sessions.on('guessing', told)
    const missed = vi.fn()
    sessions.on('unknown-token', missed)
    const onHttps = (n: number): string => `__Host-${guess(n)}`
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.set('a', 1))
    await new Visitor(sessions, onHttps(0)).visit(() => {})
    for (let n = 0; n < 300; n += 1) {
      await visitor.visit(() => {})
      if (n % 2 === 0) await new Visitor(sessions, onHttps(n)).visit(() => {})
    }
    for (let n = 0; n < 300; n += 1) {
      clock.advance(1)
      await new Visitor(sessions, onHttps(n)).visit(() => {})
    }
    expect(missed).toHaveBeenCalledTimes(451)
    expect(told).not.toHaveBeenCalled()
  })

  it('answers a wrong secret like an unknown id: nothing tells that the id exists', async () => {
    const { ask } = await site()
    const id = cookieOf(await ask('/set', post({ a: 1 })))?.slice(4, 26)
    const answers = await Promise.all([`sid=${id}.${'B'.repeat(43)}`, `sid=${INVENTED}`].map(async (cookie) => {
      const { status, headers, body } = await ask('/get', { cookie })
      return { status, body, headers: headers.filter(([name]) => name !== 'date') }
    }))
    expect(answers[0]).toEqual(answers[1])
  })
})

describe('timing', () => {
  it('comparing two hashes takes the same steps wherever they differ', () => {
    const hash = 'x'.repeat(43)
    const others = Array.from(hash, (_, at) => `${hash.slice(0, at)}y${hash.slice(at + 1)}`)
    expect([hash, ...others].filter((other) => sameHash(hash, other))).toEqual([hash])
    // All of its loop is one accumulation, which nothing ends early.
    expect(sameHash.toString().split('for (')[1]).toMatch(/^[^)]*\)\s*difference \|= [^;]*;\s*return difference === 0;?\s*}$/)
  })

  it('no source compares a secret, a MAC or the hash of a visitor’s token with an operator that stops at the first difference', () => {
    const found = sources().flatMap(({ file, code }) => comparisons(code).filter((text) => /\b(secret|mac)\b(?!\.length)/.test(text) && !text.endsWith('undefined') && !text.startsWith('typeof')).map((text) => `${file}: ${text}`))
    expect(found).toEqual([])
    expect(comparisons('if (token.secret === secret) yes()')).toEqual(['token.secret === secret'])
    const resolve = readFileSync(join(import.meta.dirname, '../../src/core/internal/resolve.ts'), 'utf8')
    expect(resolve.match(/sameHash\(record\.(previous\.)?tokenHash, tokenHash\)/g)).toHaveLength(2)
    expect(comparisons(resolve).filter((text) => text.includes('tokenHash'))).toEqual([])
  })
})

describe('replay', () => {
  it('of a token after logout, rotation or revocation opens nothing', async () => {
    const { ask, sessions } = await site()
    const loggedIn = async (): Promise<string | undefined> => cookieOf(await ask('/login', post({ owner: 'ada' })))
    const out = await loggedIn()
    await ask('/logout', { cookie: out })
    const rotated = await loggedIn()
    await ask('/login', post({ owner: 'ada' }, rotated))
    const revoked = await loggedIn()
    await sessions.revokeAll('ada')
    for (const cookie of [out, rotated, revoked]) expect((await ask('/get', { cookie })).body).toBe('{"owner":null,"data":{}}')
  })

  it('of a sealed cookie after logout opens nothing where revokedBefore knows of the logout', async () => {
    const clock = movableClock()
    const ended = new Map<string, number>()
    const { ask } = await site({ clock, store: cookieStore({ keys: ['1'.repeat(64)], revokedBefore: (owner) => ended.get(owner) }) })
    const copied = cookieOf(await ask('/login', post({ owner: 'ada' })))
    expect((await ask('/get', { cookie: copied })).body).toContain('ada')
    ended.set('ada', clock())
    await ask('/logout', { cookie: copied })
    expect((await ask('/get', { cookie: copied })).body).toBe('{"owner":null,"data":{}}')
  })

  it('of a sealed cookie under another name, or of its pieces in another order, opens nothing', async () => {
    const shop = await site({ store: cookieStore({ keys: ['1'.repeat(64)], name: 'shop' }) })
    const admin = await site({ store: cookieStore({ keys: ['1'.repeat(64)], name: 'admin' }) })
    const sealed = cookieOf(await shop.ask('/login', post({ owner: 'ada' })))?.slice('shop='.length)
    expect((await shop.ask('/get', { cookie: `shop=${sealed}` })).body).toContain('ada')
    expect((await admin.ask('/get', { cookie: `admin=${sealed}` })).body).toBe('{"owner":null,"data":{}}')
    const { setCookies } = await shop.ask('/set', post({ a: 'x'.repeat(4000) }))
    const [first, second] = setCookies.map((line) => line.split(';')[0]?.split('=')[1])
    expect((await shop.ask('/get', { cookie: `shop=${first}; shop.1=${second}` })).body).toContain('xxx')
    expect((await shop.ask('/get', { cookie: `shop=${second}; shop.1=${first}` })).body).toBe('{"owner":null,"data":{}}')
  })
})

function sources(): readonly { readonly file: string; readonly code: string }[] {
  const root = join(import.meta.dirname, '../../src')
  return globSync('**/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts')).map((file) => ({ file, code: readFileSync(join(root, file), 'utf8') }))
}

/** The text of every comparison of equality in a source. */
function comparisons(code: string): readonly string[] {
  return nodesOf(parseAst(code, { lang: 'ts' }))
    .filter(({ type, operator }) => type === 'BinaryExpression' && typeof operator === 'string' && /^[!=]==?$/.test(operator))
    .map(({ start, end }) => code.slice(Number(start), Number(end)))
}
