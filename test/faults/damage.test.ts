import { globSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isSessionError } from '../../src/core/errors.ts'
import { createSessions } from '../../src/index.ts'
import { fileStore } from '../../src/stores/file.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { movableClock } from '../../src/testing/clock.ts'
import { cookieOf, post } from '../attacks/site.ts'
import { Visitor } from '../internal/visitor.ts'
import { failures, FRESH, holds, openShop, type Shop } from './shop.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-damage-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What a visitor may be shown who had stored 1: that, a fresh session, or an error. */
async function assertBearable(shop: Shop, cookie: string): Promise<string> {
  const { status, body } = await shop.ask('/get', { cookie })
  if (status !== 500) expect([holds(1), FRESH]).toContain(body)
  for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
  return status === 500 ? '500' : body
}

describe('a file of the file store', () => {
  it('truncated anywhere: its visitor has the session before the damage or a fresh one, can begin anew, and the others notice nothing', async () => {
    const folder = newFolder()
    const shop = await openShop(fileStore(folder))
    cleanups.push(() => shop.close())
    const log = globSync(join(folder, 'records/**/*.log'))[0] ?? ''
    const whole = readFileSync(log)
    const other = cookieOf(await shop.ask('/set', post({ n: 5 })))
    for (let length = 0; length <= whole.length; length += 7) {
      writeFileSync(log, whole.subarray(0, length))
      expect(await assertBearable(shop, shop.cookie)).not.toBe('500')
      expect((await shop.ask('/get', { cookie: other })).body).toBe(holds(5))
    }
    truncateSync(log, 20)
    expect([await shop.get(), failures(shop)]).toEqual([FRESH, []])
    const again = cookieOf(await shop.ask('/set', post({ n: 2 }, shop.cookie)))
    expect((await shop.ask('/get', { cookie: again })).body).toBe(holds(2))
  })
})

describe('an SQLite database', () => {
  async function closedDatabase() {
    const path = join(newFolder(), 'sessions.db')
    const before = await openShop(sqliteStore(path))
    for (let n = 0; n < 40; n += 1) await before.ask('/set', post({ n: 1, filler: 'x'.repeat(500) }))
    await before.close()
    return { path, cookie: before.cookie, whole: readFileSync(path) }
  }

  it('truncated: the visitor has the session, a fresh one or a 500 with ERR_SESSION_STORE, and the process lives', async () => {
    const { path, cookie, whole } = await closedDatabase()
    for (const length of [0, 1, 50, 99, 100, 4096, 4097, 8192, 12_288, whole.length - 4096, whole.length - 1]) {
      writeFileSync(path, whole)
      truncateSync(path, length)
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      const shop = await openShop(sqliteStore(path))
      await assertBearable(shop, cookie)
      expect((await shop.ask('/')).status).toBe(200)
      expect(failures(shop).filter((failure) => failure !== 'ERR_SESSION_STORE none')).toEqual([])
      await shop.close()
    }
    writeFileSync(path, whole)
    const shop = await openShop(sqliteStore(path))
    expect(await assertBearable(shop, cookie)).toBe(holds(1))
    await shop.close()
  })

  it('with bytes flipped: no request ends in anything but the session’s page, a fresh one or a 500 with ERR_SESSION_STORE', async () => {
    const { path, cookie, whole } = await closedDatabase()
    // The others have a filler, too.
    const ours = whole.indexOf('{"d:n":"1"}}')
    for (let round = 0; round < 40; round += 1) {
      const bytes = Buffer.from(whole)
      // In the first round the visitor's own record stops being one.
      const hits = round === 0 ? [ours] : Array.from({ length: 8 }, () => Math.floor(Math.random() * bytes.length))
      for (const at of hits) {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8))
      }
      writeFileSync(path, bytes)
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
      const shop = await openShop(sqliteStore(path))
      const answers = [await shop.ask('/get', { cookie }), await shop.ask('/set', post({ n: 2 }, cookie)), await shop.ask('/')]
      for (const { status } of answers) expect([200, 500]).toContain(status)
      if (round === 0) expect([answers[0]?.body, shop.events.some(({ name }) => name === 'unreadable')]).toEqual([FRESH, true])
      for (const failure of failures(shop)) expect(failure).toMatch(/^ERR_SESSION_STORE (?:none|unknown)$/)
      expect(answers[2]?.status).toBe(200)
      await shop.close()
    }
  })

  it('whose table is dropped: 500 with ERR_SESSION_STORE, and a fresh session when the store is opened again', async () => {
    const path = join(newFolder(), 'sessions.db')
    const shop = await openShop(sqliteStore(path))
    const handle = new DatabaseSync(path)
    handle.exec('DROP TABLE sojourn_sessions')
    handle.close()
    expect([await shop.get(), await shop.set(2)]).toEqual(['500', 500])
    expect(failures(shop)).toEqual(['ERR_SESSION_STORE none'])
    await shop.close()
    const again = await openShop(sqliteStore(path))
    expect([(await again.ask('/get', { cookie: shop.cookie })).body, await again.get()]).toEqual([FRESH, holds(1)])
    await again.close()
  })
})

describe('the mark that revokeAll leaves', () => {
  async function marked() {
    const path = join(newFolder(), 'sessions.db')
    const clock = movableClock()
    const sessions = createSessions({ store: sqliteStore(path), clock, sweepEvery: 'never' })
    cleanups.push(() => sessions.close())
    await sessions.revokeAll('ada')
    return {
      clock, sessions,
      damage() {
        const handle = new DatabaseSync(path)
        handle.exec(`UPDATE sojourn_sessions SET record = 'none' WHERE record LIKE '%"tokenHash":""%'`)
        handle.close()
      },
      async login(owner: string) {
        return new Visitor(sessions).visit((session) => session.login(owner)).then(({ result }) => result, (error: unknown) => (isSessionError(error) ? error.code : error))
      },
    }
  }

  it('damaged: logins of its owner fail, nobody else’s, until it is past and swept, or written anew by revokeAll', async () => {
    const { clock, sessions, damage, login } = await marked()
    damage()
    expect([await login('ada'), await login('grace')]).toEqual(['ERR_SESSION_UNREADABLE', 'ok'])
    clock.advance('14 minutes')
    expect([await sessions.sweep(), await login('ada')]).toEqual([0, 'ERR_SESSION_UNREADABLE'])
    clock.advance('1 minute')
    expect([await sessions.sweep(), await login('ada')]).toEqual([1, 'ok'])
    await sessions.revokeAll('ada')
    damage()
    expect(await login('ada')).toBe('ERR_SESSION_UNREADABLE')
    await sessions.revokeAll('ada')
    expect(await login('ada')).toBe('ok')
  })
})
