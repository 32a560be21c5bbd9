import { strict as assert } from 'node:assert'
import { assertNoSessionCookie, assertStatus, SESSION_COOKIE, type AdapterCase, type Handler } from './trial.ts'

const look: Handler = ({ session }) => String(session.get('color'))
const begin: Handler = ({ session }) => { session.set('color', 'red') }

const NOBODY = `${'A'.repeat(22)}.${'A'.repeat(43)}`

/** What visitors send, and attackers. */
const badCookies: readonly (readonly [what: string, header: string])[] = [
  ['an empty one', `${SESSION_COOKIE}=`],
  ['one without a name', `=${NOBODY}`],
  ['one without a value', SESSION_COOKIE],
  ['a token without a secret', `${SESSION_COOKIE}=${'A'.repeat(22)}`],
  ['a token of nobody', `${SESSION_COOKIE}=${NOBODY}`],
  ['one of 8 KB', `${SESSION_COOKIE}=${'A'.repeat(8192)}`],
  ['NUL and newline', `${SESSION_COOKIE}=%00%0d%0a${NOBODY}`],
  ['broken percent forms', `${SESSION_COOKIE}=%E0%A4%A; ${SESSION_COOKIE}=%`],
  ['quotes', `${SESSION_COOKIE}="${NOBODY}"`],
  ['paths', `${SESSION_COOKIE}=../../../../etc/passwd`],
  ['names of an object', `__proto__=1; constructor=2; ${SESSION_COOKIE}=__proto__.toString`],
  ['a hundred of one name', Array.from({ length: 100 }, () => `${SESSION_COOKIE}=${NOBODY}`).join('; ')],
  ['bytes beyond ASCII', `${SESSION_COOKIE}=\u00fc\u00ff.${'A'.repeat(43)}`],
  ['nothing but separators', ';;; ; ;=;'],
]

export const requestCases: readonly AdapterCase[] = [
  {
    title: 'answers whatever stands in the cookie, and adopts none of it',
    async run({ site }) {
      const { ask, store } = await site(look)
      for (const [what, cookie] of badCookies) {
        const answer = await ask('/', { headers: { cookie } })
        assert.equal(answer.status, 200, what)
        assert.equal(answer.body, 'undefined', what)
        assert.deepEqual(answer.setCookies, [], what)
      }
      assert.equal(await store.size(), 0)
    },
  },
  {
    title: 'finds the session among other cookies of its name',
    async run({ site }) {
      const { ask, visitor } = await site({ '/begin': begin, '/look': look })
      const someone = visitor()
      await someone.tab().post('/begin')
      const own = someone.cookieHeader() ?? ''
      assert.equal((await ask('/look', { headers: { cookie: `a=1; ${SESSION_COOKIE}=${NOBODY}; ${own}; ${SESSION_COOKIE}=x` } })).body, 'red')
    },
  },
  {
    title: 'begins anew for a session that has expired, under another id',
    async run({ site }) {
      const { visitor, advance } = await site({ '/begin': ({ session }) => { session.set('color', 'red'); return session.id }, '/look': look }, { idleTimeout: '30 minutes' })
      const tab = visitor().tab()
      const { text: first } = await tab.post('/begin')
      advance('1 hour')
      const page = await tab.get('/look')
      assertStatus(page, 200)
      assert.equal(page.text, 'undefined')
      assertNoSessionCookie(page)
      assert.notEqual((await tab.post('/begin')).text, first)
    },
  },
  {
    title: 'hands the body of a request on while the store is slow',
    async run({ site }) {
      const body = 'field=value&'.repeat(10_000)
      const { visitor } = await site({ '/begin': begin, '/echo': async (visit) => `${visit.method} ${await visit.text()} ${String(visit.session.get('color'))}` })
      const tab = visitor().tab()
      await tab.post('/begin')
      assert.ok((await tab.post('/echo', body)).text === `POST ${body} red`, 'the whole body arrives')
    },
  },
  {
    title: 'stores what a visitor did who hung up before the answer',
    slowStoreOnly: true,
    async run({ site }) {
      const { send, ask, store } = await site((visit) => { begin(visit); return 'too late' })
      const [before, after] = [store.hold('create'), store.hold('create', { when: 'after' })]
      const sent = send('/')
      await before.reached
      sent.abort()
      await assert.rejects(sent.answer)
      before.release()
      await after.reached
      after.release()
      assert.equal(await store.size(), 1)
      assertStatus(await ask('/'), 200)
    },
  },
]
