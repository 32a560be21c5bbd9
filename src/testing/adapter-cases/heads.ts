import { strict as assert } from 'node:assert'
import type { Reply } from '../describe-adapter.ts'
import { assertSessionCookie, assertStatus, type AdapterCase, type Handler } from './trial.ts'

interface Kind {
  readonly name: string
  readonly method?: string
  readonly reply: () => Partial<Reply>
  /** Undefined: whatever the framework puts there. */
  readonly body: string | undefined
}

const PART = 'x'.repeat(64 * 1024)
const PARTS = 160

async function* parts(count: number): AsyncIterable<string> {
  for (let n = 0; n < count; n += 1) yield PART
}

const kinds: readonly Kind[] = [
  { name: 'a page', reply: () => ({ body: 'page' }), body: 'page' },
  { name: 'a page with its length', reply: () => ({ headers: [['content-length', '4']], body: 'page' }), body: 'page' },
  { name: 'a redirect', reply: () => ({ status: 303, headers: [['location', '/elsewhere']] }), body: undefined },
  { name: 'an answer to HEAD', method: 'HEAD', reply: () => ({ headers: [['content-type', 'text/plain']] }), body: '' },
  { name: 'a 304', reply: () => ({ status: 304, headers: [['etag', '"1"']] }), body: '' },
  { name: 'a 204', reply: () => ({ status: 204 }), body: '' },
  { name: 'a 404', reply: () => ({ status: 404, body: 'nowhere' }), body: 'nowhere' },
  { name: 'a 422', reply: () => ({ status: 422, body: 'wrong' }), body: 'wrong' },
  { name: 'a stream', reply: () => ({ body: parts(2) }), body: PART + PART },
  { name: 'a stream with its length', reply: () => ({ headers: [['content-length', String(2 * PART.length)]], body: parts(2) }), body: PART + PART },
  { name: 'a body of 10 MB', reply: () => ({ body: PART.repeat(PARTS) }), body: PART.repeat(PARTS) },
]

export const headCases: readonly AdapterCase[] = [
  ...kinds.flatMap(({ name, method = 'GET', reply, body }): AdapterCase[] => [
    {
      title: `sends the cookie of a new session with ${name}`,
      async run({ site }) {
        const { ask, store } = await site(storing(reply))
        const answer = await ask('/', { method })
        assertStatus(answer, reply().status ?? 200)
        assertSessionCookie(answer)
        assert.ok(body === undefined || answer.body === body, 'the body is whole')
        assert.equal(await store.size(), 1)
      },
    },
    {
      title: `lets no byte of ${name} leave before the store has acknowledged`,
      slowStoreOnly: true,
      async run({ site }) {
        const { send, store, quiet } = await site(storing(reply))
        const held = store.hold('create')
        const sent = send('/', { method })
        await held.reached
        await quiet()
        assert.equal(sent.hasArrived, false, 'nothing has arrived')
        held.release()
        const answer = await sent.answer
        assertStatus(answer, reply().status ?? 200)
        assertSessionCookie(answer)
        assert.ok(body === undefined || answer.body === body, 'the body is whole')
      },
    },
  ]),
  {
    title: 'lets no byte leave before the store has acknowledged a change of a session that was there',
    slowStoreOnly: true,
    async run({ site }) {
      const { visitor, send, store, quiet } = await site({ '/begin': storing(() => ({})), '/change': ({ session }) => { session.set('color', 'blue'); return 'changed' } })
      const someone = visitor()
      await someone.tab().post('/begin')
      const held = store.hold('patch')
      const sent = send('/change', { visitor: someone })
      await held.reached
      await quiet()
      assert.equal(sent.hasArrived, false, 'nothing has arrived')
      held.release()
      assert.equal((await sent.answer).body, 'changed')
    },
  },
  {
    title: 'lets no byte leave before the store has acknowledged an end',
    slowStoreOnly: true,
    async run({ site }) {
      const { visitor, send, store, quiet } = await site({ '/begin': storing(() => ({})), '/end': ({ session }) => { session.data = null } })
      const someone = visitor()
      await someone.tab().post('/begin')
      const held = store.hold('end')
      const sent = send('/end', { visitor: someone })
      await held.reached
      await quiet()
      assert.equal(sent.hasArrived, false, 'nothing has arrived')
      held.release()
      assertSessionCookie(await sent.answer)
    },
  },
]

function storing(reply: () => Partial<Reply>): Handler {
  return ({ session }) => {
    session.set('color', 'red')
    return reply()
  }
}
