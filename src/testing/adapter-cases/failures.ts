import { strict as assert } from 'node:assert'
import type { Reply } from '../describe-adapter.ts'
import { assertFailed, assertNoSessionCookie, assertSessionCookie, assertStatus, type AdapterCase, type Handler } from './trial.ts'

const begin: Handler = ({ session }) => { session.set('color', 'red') }
const look: Handler = ({ session }) => String(session.get('color'))
const who: Handler = ({ session }) => String(session.owner)

async function* chunks(): AsyncIterable<string> {
  yield 'all '
  yield 'is well'
}

const successes: readonly { readonly name: string; readonly method?: string; readonly reply: () => Partial<Reply> }[] = [
  { name: 'a page', reply: () => ({ headers: [['content-type', 'application/x-mine'], ['etag', '"1"'], ['x-mine', 'kept']], body: 'all is well' }) },
  { name: 'a page with its length', reply: () => ({ headers: [['content-length', '11']], body: 'all is well' }) },
  { name: 'a page that says to be compressed', reply: () => ({ headers: [['content-encoding', 'gzip']], body: 'all is well' }) },
  { name: 'a stream', reply: () => ({ body: chunks() }) },
  { name: 'a redirect', reply: () => ({ status: 303, headers: [['location', '/done']] }) },
  { name: 'an answer to HEAD', method: 'HEAD', reply: () => ({ headers: [['etag', '"1"']] }) },
]

const OF_THE_BODY = ['etag', 'location', 'content-encoding', 'last-modified']

export const failureCases: readonly AdapterCase[] = [
  ...successes.map(({ name, method = 'GET', reply }): AdapterCase => ({
    title: `fails instead of ${name} when the commit fails`,
    async run({ site }) {
      const { ask, store } = await site(({ session }) => { session.set('color', 'red'); return reply() })
      store.fail('create')
      const answer = await ask('/', { method })
      assertFailed(answer)
      assertNoSessionCookie(answer)
      assert.ok(!answer.body.includes('well'), 'nothing of the success is sent')
      for (const header of OF_THE_BODY) assert.equal(answer.header(header), undefined, `${header} is gone`)
      assert.notEqual(answer.header('content-type'), 'application/x-mine')
      assert.equal(await store.size(), 0)
    },
  })),
  {
    title: 'goes on answering after a commit failed',
    async run({ site }) {
      const { ask, store } = await site({ '/begin': begin, '/look': look })
      store.fail('create')
      assertFailed(await ask('/begin'))
      assert.equal((await ask('/look')).body, 'undefined')
    },
  },
  {
    title: 'goes on without a session when the commit fails and onStoreError is "degrade"',
    async run({ site }) {
      const { ask, store } = await site((visit) => { begin(visit); return 'all is well' }, { onStoreError: 'degrade' })
      store.fail('create')
      const answer = await ask('/')
      assertStatus(answer, 200)
      assert.equal(answer.body, 'all is well')
      assertNoSessionCookie(answer)
    },
  },
  {
    title: 'fails when the session cannot be read, and leaves the cookie with the visitor',
    async run({ site }) {
      const { visitor, ask, store } = await site({ '/begin': begin, '/look': look })
      const someone = visitor()
      await someone.tab().post('/begin')
      store.fail('read')
      const answer = await ask('/look', { visitor: someone })
      assertFailed(answer)
      assertNoSessionCookie(answer)
    },
  },
  {
    title: 'goes on without a session when it cannot be read and onStoreError is "degrade"',
    async run({ site }) {
      const { visitor, ask, store } = await site({ '/begin': begin, '/look': look }, { onStoreError: 'degrade' })
      const someone = visitor()
      await someone.tab().post('/begin')
      store.fail('read')
      const answer = await ask('/look', { visitor: someone })
      assertStatus(answer, 200)
      assert.equal(answer.body, 'undefined')
      assertNoSessionCookie(answer)
    },
  },
  {
    title: 'fails when the store does not answer within storeTimeout',
    slowStoreOnly: true,
    async run({ site }) {
      const { ask, store } = await site(begin, { storeTimeout: 0.05 })
      const held = store.hold('create')
      assertFailed(await ask('/'))
      held.release()
    },
  },
  {
    title: 'fails a request whose session ended meanwhile when onGone is "fail"',
    async run({ site }) {
      const { visitor, ask, sessions } = await site({
        '/begin': begin,
        '/late': async ({ session }) => {
          await sessions.revoke(session.id)
          session.set('color', 'blue')
          return 'all is well'
        },
      }, { onGone: 'fail' })
      const someone = visitor()
      await someone.tab().post('/begin')
      const answer = await ask('/late', { visitor: someone })
      assertFailed(answer)
      assert.ok(!answer.body.includes('well'))
    },
  },
  {
    title: 'stores nothing when the handler throws',
    async run({ site }) {
      const { visitor, ask, store } = await site({
        '/new': (visit) => { begin(visit); throw new Error('The handler is broken.') },
        '/begin': begin,
        '/change': ({ session }) => { session.set('color', 'blue'); throw new Error('The handler is broken.') },
        '/look': look,
      })
      const answer = await ask('/new')
      assertFailed(answer)
      assertNoSessionCookie(answer)
      assert.equal(await store.size(), 0)
      const someone = visitor()
      await someone.tab().post('/begin')
      assertFailed(await ask('/change', { visitor: someone }))
      assert.equal((await someone.tab().get('/look')).text, 'red')
    },
  },
  {
    title: 'stores nothing for a status of 500 and more',
    async run({ site }) {
      const { ask, store } = await site((visit) => { begin(visit); return { status: 503, body: 'not now' } })
      const answer = await ask('/')
      assertStatus(answer, 503)
      assert.equal(answer.body, 'not now')
      assertNoSessionCookie(answer)
      assert.equal(await store.size(), 0)
    },
  },
  {
    title: 'sends the cookie of a login on the error of a handler that throws after it',
    async run({ site }) {
      const { visitor } = await site({
        '/login': async ({ session }) => {
          await session.login('ada')
          session.set('color', 'lost')
          throw new Error('The handler is broken.')
        },
        '/who': who,
        '/look': look,
      })
      const tab = visitor().tab()
      const page = await tab.post('/login')
      assert.equal(page.status, 500)
      assertSessionCookie(page)
      assert.equal((await tab.get('/who')).text, 'ada')
      assert.equal((await tab.get('/look')).text, 'undefined')
    },
  },
  {
    title: 'sends the new cookie of a regenerate, and the clearing one of a destroy, on the error of a handler that throws after it',
    async run({ site }) {
      const { visitor } = await site({
        '/begin': begin,
        '/look': look,
        '/regenerate': async ({ session }) => { await session.regenerate(); throw new Error('The handler is broken.') },
        '/destroy': async ({ session }) => { await session.destroy(); throw new Error('The handler is broken.') },
      })
      const someone = visitor()
      const tab = someone.tab()
      await tab.post('/begin')
      assertSessionCookie(await tab.post('/regenerate'))
      assert.equal((await tab.get('/look')).text, 'red')
      assertSessionCookie(await tab.post('/destroy'))
      assert.equal(someone.cookies.length, 0)
    },
  },
  ...(['discard', 'keep'] as const).map((onThrow): AdapterCase => ({
    title: `sends the cookie of a login on the error when the commit after it fails, with onThrow: "${onThrow}"`,
    async run({ site }) {
      const { visitor, store } = await site({
        '/login': async ({ session }) => {
          await session.login('ada')
          session.set('color', 'lost')
          store.fail('patch')
          return 'all is well'
        },
        '/who': who,
      }, { onThrow })
      const tab = visitor().tab()
      const page = await tab.post('/login')
      assert.equal(page.status, 500)
      assert.ok(!page.text.includes('well'))
      assertSessionCookie(page)
      assert.equal((await tab.get('/who')).text, 'ada')
    },
  })),
  {
    title: 'stores what a handler changed before it threw when onThrow is "keep"',
    async run({ site }) {
      const { visitor } = await site({ '/begin': (visit) => { begin(visit); throw new Error('The handler is broken.') }, '/look': look }, { onThrow: 'keep' })
      const tab = visitor().tab()
      const page = await tab.post('/begin')
      assert.equal(page.status, 500)
      assertSessionCookie(page)
      assert.equal((await tab.get('/look')).text, 'red')
    },
  },
]
