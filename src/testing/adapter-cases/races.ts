import { strict as assert } from 'node:assert'
import type { Browser } from '../browser.ts'
import { assertNoSessionCookie, assertSessionCookie, assertStatus, Latch, type AdapterCase, type Handler, type Site } from './trial.ts'

const begin: Handler = ({ session }) => { session.set('color', 'red') }
const who: Handler = ({ session }) => `${String(session.owner)} ${session.keys().toSorted().join()}`

interface Ending {
  readonly name: string
  end(site: Site, someone: Browser): Promise<unknown>
  /** Something lives on under the id: the rotated session. */
  readonly livesOn?: boolean
}

const endings: readonly Ending[] = [
  { name: 'a logout', end: (_site, someone) => someone.tab().post('/logout') },
  { name: 'a revocation', end: async ({ sessions }, someone) => sessions.revoke(idOf(someone)) },
  { name: 'its expiry', end: async ({ advance }) => advance('1 hour') },
  { name: 'a regenerate', end: (_site, someone) => someone.tab().post('/regenerate'), livesOn: true },
  { name: 'a login', end: (_site, someone) => someone.tab().post('/login'), livesOn: true },
]

function idOf(someone: Browser): string {
  return someone.cookies[0]?.value.split('.')[0] ?? ''
}

export const raceCases: readonly AdapterCase[] = [
  {
    title: 'gives two tabs one session',
    async run({ site }) {
      const { visitor } = await site({ '/begin': begin, '/add': ({ session, url }) => { session.set(url.slice(url.indexOf('?') + 1), true) }, '/who': who })
      const someone = visitor()
      const [one, two] = [someone.tab(), someone.tab()]
      await one.post('/begin')
      await two.post('/add?two')
      await one.post('/add?one')
      assert.equal((await two.get('/who')).text, 'undefined color,one,two')
    },
  },
  {
    title: 'keeps all of 100 keys that 100 parallel requests set',
    async run({ site }) {
      const { visitor } = await site({ '/begin': begin, '/add': ({ session, url }) => { session.set(url.slice(url.indexOf('?') + 1), true) }, '/count': ({ session }) => String(session.keys().length) })
      const tab = visitor().tab()
      await tab.post('/begin')
      const pages = await Promise.all(Array.from({ length: 100 }, (_, n) => tab.post(`/add?k${n}`)))
      assert.deepEqual(pages.filter(({ status }) => status !== 200), [])
      assert.equal((await tab.get('/count')).text, '101')
    },
  },
  {
    title: 'adds 1 exactly 50 times when 50 parallel requests do so',
    async run({ site }) {
      const { visitor } = await site({
        '/begin': begin,
        '/add': async ({ session }) => { await session.update('count', (count) => (typeof count === 'number' ? count : 0) + 1) },
        '/count': ({ session }) => String(session.get('count')),
      })
      const tab = visitor().tab()
      await tab.post('/begin')
      await Promise.all(Array.from({ length: 50 }, () => tab.post('/add')))
      assert.equal((await tab.get('/count')).text, '50')
    },
  },
  {
    title: 'leaves a visitor logged in whose other request began before the login',
    async run({ site }) {
      const latch = new Latch()
      const { visitor, send } = await site({
        '/begin': begin,
        '/slow': async ({ session }) => { await latch.wait(); session.set('slow', true); return 'done' },
        '/login': async ({ session }) => { await session.login('ada') },
        '/who': who,
      })
      const someone = visitor()
      const tab = someone.tab()
      await tab.post('/begin')
      const slow = send('/slow', { visitor: someone })
      await latch.reached
      assertSessionCookie(await tab.post('/login'))
      latch.open()
      const answer = await slow.answer
      assertStatus(answer, 200)
      assert.deepEqual(answer.setCookies, [])
      assert.equal((await tab.get('/who')).text, 'ada color')
    },
  },
  {
    title: 'answers a request that comes under the old token just after a login without any cookie',
    async run({ site }) {
      const { visitor, ask } = await site({ '/begin': begin, '/login': async ({ session }) => { await session.login('ada') }, '/write': ({ session }) => { session.set('late', true); return 'done' }, '/who': who })
      const someone = visitor()
      const tab = someone.tab()
      await tab.post('/begin')
      const cookie = someone.cookieHeader() ?? ''
      await tab.post('/login')
      const answer = await ask('/write', { headers: { cookie } })
      assertStatus(answer, 200)
      assert.deepEqual(answer.setCookies, [])
      assert.equal((await ask('/who', { headers: { cookie } })).body, 'undefined ')
      assert.equal((await tab.get('/who')).text, 'ada color')
    },
  },
  ...endings.flatMap((ending) => [endingCase(ending, 'in its handler'), endingCase(ending, 'at its commit')]),
]

/** A request is held, its session ends, the request goes on: nothing may change, and nothing come back. */
function endingCase({ name, end, livesOn = false }: Ending, where: 'in its handler' | 'at its commit'): AdapterCase {
  return {
    title: `changes nothing and brings nothing back when a request held ${where} goes on after ${name}`,
    ...(where === 'at its commit' && { slowStoreOnly: true }),
    async run({ site }) {
      const latch = new Latch()
      const running = await site({
        '/begin': begin,
        '/held': async ({ session }) => { await latch.wait(); session.set('late', true); return 'done' },
        '/logout': ({ session }) => session.logout(),
        '/regenerate': async ({ session }) => { await session.regenerate() },
        '/login': async ({ session }) => { await session.login('ada') },
        '/who': who,
      }, { idleTimeout: '30 minutes' })
      const { visitor, send, store } = running
      const someone = visitor()
      await someone.tab().post('/begin')
      const sent = send('/held', { visitor: someone })
      await latch.reached
      const atCommit = where === 'at its commit' ? store.hold('patch') : undefined
      if (atCommit !== undefined) {
        latch.open()
        await atCommit.reached
      }
      await end(running, someone)
      latch.open()
      atCommit?.release()
      const answer = await sent.answer
      assertStatus(answer, 200)
      assertNoSessionCookie(answer)
      assert.equal((await someone.tab().get('/who')).text, livesOn ? `${name === 'a login' ? 'ada' : 'undefined'} color` : 'undefined ')
    },
  }
}
