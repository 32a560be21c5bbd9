import { strict as assert } from 'node:assert'
import { assertNoSessionCookie, assertSessionCookie, assertStatus, cookieNames, SESSION_COOKIE, type AdapterCase, type Handler } from './trial.ts'

const look: Handler = ({ session }) => String(session.get('color'))
const paint: Handler = ({ session, url }) => { session.set('color', new URL(url, 'http://localhost').searchParams.get('color') ?? 'red') }

export const cookieCases: readonly AdapterCase[] = [
  {
    title: 'makes no store call and sends no cookie to a visitor who stores nothing',
    async run({ site }) {
      const { ask, store } = await site(look)
      const answer = await ask('/')
      assertStatus(answer, 200)
      assert.equal(answer.body, 'undefined')
      assert.deepEqual(answer.setCookies, [])
      assert.equal(store.count(), 0)
    },
  },
  {
    title: 'keeps what a visitor stored',
    async run({ site }) {
      const { visitor } = await site({ '/paint': paint, '/look': look })
      const tab = visitor().tab()
      assertSessionCookie(await tab.post('/paint?color=blue'))
      assert.equal((await tab.get('/look')).text, 'blue')
    },
  },
  {
    title: 'reads once and writes nothing for a request that only reads',
    async run({ site }) {
      const { visitor, store, advance } = await site({ '/paint': paint, '/look': look }, { idleTimeout: '30 minutes' })
      const tab = visitor().tab()
      await tab.post('/paint')
      store.forgetCalls()
      advance('1 minute')
      const page = await tab.get('/look')
      assert.equal(page.text, 'red')
      assert.deepEqual(store.calls.map(({ method }) => method), ['read'])
      assert.deepEqual(page.setCookies, [])
    },
  },
  {
    title: 'sends no cookie when nothing about it changed',
    async run({ site }) {
      const { visitor } = await site({ '/paint': paint, '/look': look })
      const tab = visitor().tab()
      await tab.post('/paint')
      assert.deepEqual((await tab.post('/paint?color=green')).setCookies, [])
      assert.equal((await tab.get('/look')).text, 'green')
    },
  },
  {
    title: 'sends a cookie that the browser keeps again when the deadline moved, and only then',
    async run({ site }) {
      const { visitor, advance } = await site({ '/paint': paint, '/look': look }, { idleTimeout: '30 minutes', cookie: { persistent: true } })
      const tab = visitor().tab()
      await tab.post('/paint')
      assertNoSessionCookie(await tab.get('/look'))
      advance('10 minutes')
      assertSessionCookie(await tab.get('/look'))
    },
  },
  {
    title: 'sends exactly one cookie for a session, and leaves other cookies alone',
    async run({ site }) {
      const handler: Handler = (visit) => {
        visit.session.set('color', 'red')
        return { headers: [['set-cookie', 'theme=dark; Path=/'], ['set-cookie', 'lang=en; Path=/']] }
      }
      const { visitor } = await site(handler)
      const someone = visitor()
      const page = await someone.tab().get('/')
      assert.deepEqual(cookieNames(page).toSorted(), ['lang', SESSION_COOKIE, 'theme'])
      assert.deepEqual(someone.cookies.map(({ name }) => name).toSorted(), ['lang', SESSION_COOKIE, 'theme'])
    },
  },
  {
    title: 'sends the newest token once when a request logs in and regenerates',
    async run({ site }) {
      const { visitor } = await site({
        '/login': async ({ session }) => {
          session.set('color', 'red')
          await session.commit()
          await session.login('ada')
          await session.regenerate()
        },
        '/look': look,
      })
      const tab = visitor().tab()
      assertSessionCookie(await tab.post('/login'))
      assert.equal((await tab.get('/look')).text, 'red')
    },
  },
  {
    title: 'clears the cookie at destroy with the attributes that it was set with',
    async run({ site }) {
      const { visitor, store } = await site({ '/app/paint': paint, '/app/destroy': ({ session }) => session.destroy() }, { cookie: { path: '/app', sameSite: 'strict' } })
      const someone = visitor()
      const tab = someone.tab()
      const [set = ''] = (await tab.post('/app/paint')).setCookies
      const page = await tab.post('/app/destroy')
      assert.equal(someone.cookies.length, 0, 'the browser has forgotten the cookie')
      assert.equal(await store.size(), 0)
      const [cleared = ''] = page.setCookies
      assert.deepEqual(attributes(cleared).filter((one) => !/^(?:expires|max-age)=/.test(one)), attributes(set))
      assert.equal(page.setCookies.length, 1)
    },
  },
  {
    title: 'sends no cookie for a session that a request begins and destroys',
    async run({ site }) {
      const { ask, store } = await site(async ({ session }) => {
        session.set('color', 'red')
        await session.commit()
        await session.destroy()
      })
      assert.deepEqual((await ask('/')).setCookies, [])
      assert.equal(await store.size(), 0)
    },
  },
  {
    title: 'forbids caches to keep a response with a cookie, unless the application has said what they may do',
    async run({ site }) {
      const { ask } = await site({ '/silent': paint, '/own': (visit) => { paint(visit); return { headers: [['cache-control', 'private, max-age=5']] } } })
      assert.equal((await ask('/silent')).header('cache-control'), 'no-store')
      assert.equal((await ask('/own')).header('cache-control'), 'private, max-age=5')
    },
  },
  {
    title: 'sends no session cookie with a response that anybody may be given, and stores nothing for it',
    async run({ site }) {
      const { ask, store } = await site((visit) => { paint(visit); return { headers: [['cache-control', 'public, max-age=60']], body: 'shared' } })
      const answer = await ask('/')
      assert.equal(answer.body, 'shared')
      assertNoSessionCookie(answer)
      assert.equal(answer.header('cache-control'), 'public, max-age=60')
      assert.equal(await store.size(), 0)
    },
  },
  {
    title: 'says that the response depends on the cookie when the session was read, beside what it depends on otherwise',
    async run({ site }) {
      const { ask } = await site({
        '/read': look,
        '/both': (visit) => ({ headers: [['vary', 'Accept']], body: String(visit.session.get('color')) }),
        '/blind': () => 'the same for everybody',
      })
      assert.equal((await ask('/read')).header('vary'), 'Cookie')
      assert.equal((await ask('/both')).header('vary'), 'Accept, Cookie')
      assert.equal((await ask('/blind')).header('vary'), undefined)
    },
  },
  {
    title: 'keeps two sessions of one application apart by the names of their cookies',
    needs: ['second'],
    async run({ site }) {
      const { visitor } = await site({
        '/first': (visit) => paint(visit),
        '/second': ({ second }) => { second?.set('color', 'black') },
        '/both': ({ session, second }) => { session.set('color', 'white'); second?.set('color', 'grey') },
        '/look': ({ session, second }) => `${String(session.get('color'))} ${String(second?.get('color'))}`,
        '/leave': ({ second }) => second?.destroy(),
      })
      const tab = visitor().tab()
      assert.deepEqual(cookieNames(await tab.post('/first')), [SESSION_COOKIE])
      assert.deepEqual(cookieNames(await tab.post('/second')), ['second'])
      assert.equal((await tab.get('/look')).text, 'red black')
      assert.deepEqual(cookieNames(await tab.post('/leave')), ['second'])
      assert.equal((await tab.get('/look')).text, 'red undefined')
      const fresh = visitor().tab()
      assert.deepEqual(cookieNames(await fresh.post('/both')).toSorted(), ['second', SESSION_COOKIE].toSorted())
      assert.equal((await fresh.get('/look')).text, 'white grey')
    },
  },
]

function attributes(setCookie: string): string[] {
  return setCookie.split(';').slice(1).map((one) => one.trim().toLowerCase()).toSorted()
}
