import { strict as assert } from 'node:assert'
import { assertStatus, SESSION_COOKIE, type AdapterCase } from './trial.ts'

type Headers = Readonly<Record<string, string>>

/** What browsers say about a request that a page of another origin made. */
const fromElsewhere: readonly (readonly [what: string, headers: Headers])[] = [
  ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  ['another host of the site', { 'sec-fetch-site': 'same-site', origin: 'https://blog.example.com' }],
  ['another site, in a browser that sends only Origin', { origin: 'https://evil.example' }],
  ['a frame without an origin', { origin: 'null' }],
  ['another port', { origin: 'http://127.0.0.1:1' }],
]

export const crossSiteCases: readonly AdapterCase[] = [
  {
    title: 'answers 403 to a change with our cookie that a page of another origin asks for, before the handler runs',
    async run({ site }) {
      let ran = 0
      const { visitor, ask, store } = await site({ '/begin': ({ session }) => { session.set('color', 'red') }, '/change': () => { ran += 1 } })
      const someone = visitor()
      await someone.tab().post('/begin')
      store.forgetCalls()
      for (const [what, headers] of fromElsewhere) {
        const answer = await ask('/change', { method: 'POST', headers, visitor: someone })
        assert.equal(answer.status, 403, what)
        assert.deepEqual(answer.setCookies, [], what)
      }
      assert.equal(ran, 0, 'the handler has not run')
      assert.equal(store.count(), 0)
    },
  },
  {
    title: 'lets a request pass that changes nothing, carries no cookie of ours, or comes from a page of its own or from no browser',
    async run({ site }) {
      const { visitor, ask, origin } = await site({ '/begin': ({ session }) => { session.set('color', 'red') }, '/look': ({ session }) => String(session.get('color')) })
      const someone = visitor()
      await someone.tab().post('/begin')
      const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
      const passing: readonly (readonly [method: string, headers: Headers])[] = [
        ['GET', crossSite], ['HEAD', crossSite], ['POST', {}], ['POST', { 'sec-fetch-site': 'same-origin' }], ['POST', { 'sec-fetch-site': 'none' }],
        ['POST', { origin }], ['POST', { 'sec-fetch-site': 'same-origin', origin: 'null' }],
      ]
      for (const [method, headers] of passing) {
        const answer = await ask('/look', { method, headers, visitor: someone })
        assert.equal(answer.status, 200, `${method} ${JSON.stringify(headers)}`)
        if (method !== 'HEAD') assert.equal(answer.body, 'red')
      }
      assertStatus(await ask('/look', { method: 'POST', headers: { ...crossSite, cookie: `${SESSION_COOKIE}-of-others=1` } }), 200)
    },
  },
]
