// Faults that were found in the four systems by running them, and that are no case of cases.json: ours must not have them.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { SessionsOptions } from '../../src/index.ts'
import { cookieStore } from '../../src/stores/cookie.ts'
import { fileStore } from '../../src/stores/file.ts'
import { newRecord } from '../../src/testing/store-cases/trial.ts'
import { TestExchange } from '../../src/testing/exchange.ts'
import { all } from './all.ts'
import { application, Client, T0, type Data } from './seed.ts'

const sealed = (name: string): SessionsOptions<Data> => ({ store: cookieStore({ keys: ['1'.repeat(64)], name }) })

describe('Dancer', () => {
  it('gave forked workers one id, and neighbours the next: five processes never share one, and none tells the next', async () => {
    const index = pathToFileURL(join(import.meta.dirname, '..', '..', 'src', 'index.ts')).href
    const code = `import { createSessions } from '${index}'; const sessions = createSessions(); for (let n = 0; n < 50; n += 1) console.log((await sessions.create()).token)`
    const run = promisify(execFile)
    const outputs = await Promise.all(Array.from({ length: 5 }, () => run(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code])))
    const tokens = outputs.flatMap(({ stdout }) => stdout.trim().split('\n'))
    expect(tokens).toHaveLength(250)
    for (const [from, to] of [[0, 22], [0, 8], [23, 66], [23, 31]] as const) expect(new Set(tokens.map((token) => token.slice(from, to))).size).toBe(250)
  })

  it('brought a destroyed session back when something was written after it', async () => {
    const { client, sessions, stored } = application()
    const visitor = client()
    const { result: id } = await visitor.send(async (session) => { session.set('secret', 1); await session.login('ada'); return session.id })
    const { cookie } = visitor
    const { result: next } = await visitor.send(async (session) => { await session.destroy(); session.set('notice', 'Bye'); return session.id })
    expect([next === id, await stored(id), await stored(next)]).toEqual([false, undefined, { notice: 'Bye' }])
    expect((await new Client(sessions, cookie).send((session) => [session.owner, session.toObject()])).result).toEqual([undefined, {}])
    expect((await visitor.send((session) => [session.owner, session.toObject()])).result).toEqual([undefined, { notice: 'Bye' }])
  })

  it('gave an object of a class back as a plain one: it is refused by its path, and nothing is stored', async () => {
    class User { readonly name = 'ada' }
    const { client, store } = application()
    await expect(client().send((session) => session.set('users', [{ first: new User() }]))).rejects.toMatchObject({ code: 'ERR_SESSION_VALUE', message: expect.stringContaining('users[0].first') })
    expect(await all(store.list())).toEqual([])
  })
})

describe('Plack', () => {
  it('let a slower request bring the old token back after change_id', async () => {
    const { client, sessions, stored } = application()
    const visitor = client()
    const { result: id } = await visitor.send((session) => { session.set('u', 1); return session.id })
    const { cookie: old } = visitor
    const exchange = new TestExchange({ headers: { cookie: old } })
    const slow = await sessions.open(exchange)
    await visitor.send((session) => session.regenerate())
    slow.set('late', 1)
    await sessions.finish(slow)
    expect([await stored(id), exchange.setCookies]).toEqual([{ u: 1 }, []])
    expect((await new Client(sessions, old).send((session) => session.toObject())).result).toEqual({})
  })

  it('wrote files where an id pointed to: one that is a path stays inside the folder', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'sojourn-faults-'))
    const store = fileStore(join(outside, 'inside', 'sessions'))
    const ids = ['../x', '../../x', '/x', '..', 'a/../../x', '..\\x', 'x\0y']
    for (const id of ids) {
      expect(await store.create(id, newRecord())).toBe(true)
      expect((await store.read(id))?.version).toBe(1)
    }
    await store.close()
    expect([await readdir(outside), await readdir(join(outside, 'inside')), (await readdir(dirname(outside))).includes('x')]).toEqual([['inside'], ['sessions'], false])
    await rm(outside, { recursive: true, force: true })
  })

  it('took a signed cookie under another name, and long after its time', async () => {
    const app = application({ ...sealed('sid'), idleTimeout: '1 hour' })
    const visitor = app.client()
    await visitor.send((session) => session.set('x', 1))
    const other = application({ ...sealed('admin'), idleTimeout: '1 hour' })
    expect((await other.client(`admin=${visitor.token}`).send((session) => session.toObject())).result).toEqual({})
    app.advance(3 * 3600)
    expect((await app.client(visitor.cookie).send((session) => session.toObject())).result).toEqual({})
  })

  it.each([['2 hours', 7200], ['+1.5h', 5400], ['1w', 604_800], ['1 m', 60], ['1h 30m', 5400]])('made a second or two of %j: the cookie has it whole', async (text, seconds) => {
    const { client } = application({ cookie: { name: 'sid', expires: text }, idleTimeout: '30 days', absoluteTimeout: '60 days' })
    const { setCookies } = await client().send((session) => session.set('x', 1))
    expect(setCookies).toEqual([expect.stringContaining(`; Expires=${new Date(T0 + seconds * 1000).toUTCString()};`)])
  })
})

describe('Jifty', () => {
  it('made a cookie of two seconds of expires("2 hours")', async () => {
    const { setCookies } = await application().client().send((session) => { session.expire('2 hours') })
    expect(setCookies).toEqual([expect.stringMatching(/; Max-Age=7200;.*; Expires=Tue, 15 Jun 2010 02:00:00 GMT;/)])
  })

  it('wrote into the visitor\'s own session when load_by_kv found none', async () => {
    const { client, sessions, stored } = application()
    const visitor = client()
    const { result: own } = await visitor.send((session) => { session.set('x', 1); return session.id })
    const { result: found } = await visitor.send(async () => {
      const other = await sessions.findOrCreate('user', 'second')
      other.set('hello', 'world')
      await other.commit()
      return other.id
    })
    expect([found === own, await stored(own), await stored(found)]).toEqual([false, { x: 1 }, { user: 'second', hello: 'world' }])
  })
})
