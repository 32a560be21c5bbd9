import { describe, expect, it } from 'vitest'
import { fetchSession } from '../../src/adapters/fetch.ts'
import { createSessions, memoryStore } from '../../src/index.ts'
import { browser } from '../../src/testing/browser.ts'
import { titlesIn } from '../internal/named-tests.ts'

const SESSION = 'src/core/session.test.ts'
const SESSIONS = 'src/core/sessions.test.ts'
const COMPAT = 'src/adapters/express-compat.test.ts'
const CASES = 'src/testing/adapter-cases'

/** What hurts users of session libraries in races, cookies and development, and the tests that hold its end: file, title. */
const PAINS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  '1 parallel requests overwrite each other': [
    [`${CASES}/races.ts`, 'keeps all of 100 keys that 100 parallel requests set'],
    [SESSION, 'keep both keys when two requests write at once'],
  ],
  '2 a slow request undoes a logout': [
    [`${CASES}/races.ts`, 'changes nothing and brings nothing back when a request held … goes on after …'],
    [COMPAT, 'logs out twice at once without an error'],
  ],
  '3 a request that changed nothing rolls data back': [
    [SESSIONS, 'is not rolled back by a mere reader of a value that the schema changes'],
    [SESSION, 'are not moved by a touch that began before the session\'s own expiry was set'],
  ],
  '4 several writes for one login': [[COMPAT, 'costs a login one write, and the end of the session before it']],
  '5 the old session survives a regenerate': [
    [SESSION, 'keeps id and data and makes the old token worthless'],
    [COMPAT, 'lets what another request still writes to the old session go nowhere after regenerate'],
  ],
  '6 a regenerate loses the cart': [
    [SESSION, 'attaches an owner, keeps an anonymous visitor\'s data, and gives a new token'],
    [COMPAT, 'empties the session at login, and keeps what was in it with keepSessionInfo'],
  ],
  '7 "req.session.regenerate is not a function"': [
    [COMPAT, 'logs in, and knows the user at the next request'],
    [COMPAT, 'works with a session that the visitor keeps'],
  ],
  '8 a redirect arrives before the save': [
    [`${CASES}/heads.ts`, 'lets no byte of … leave before the store has acknowledged'],
    [COMPAT, 'redirects after a login when the store has acknowledged, not before'],
  ],
  '9 a save fails, and the visitor sees a success': [[`${CASES}/failures.ts`, 'fails instead of … when the commit fails']],
  '10 a change after the head is half saved': [
    [`${CASES}/streams.ts`, 'throws ERR_SESSION_LATE at what would need a cookie once the head has left'],
    [`${CASES}/streams.ts`, 'commits what was set while the body streamed, when it ends and late is asked for, and lets the end wait for that'],
  ],
  '11 an end that is forgotten within the request': [
    [SESSION, 'clears the cookie and lets a later write begin anew'],
    [SESSION, 'begins a new session with what is written after data was set to null'],
  ],
  '12 an ended or expired id is adopted again': [
    [SESSIONS, 'that we did not issue is never adopted'],
    [`${CASES}/requests.ts`, 'begins anew for a session that has expired, under another id'],
  ],
  '13 a touch of what has vanished crashes': [
    ['src/testing/store-cases/patches.ts', 'never creates: a patch to an id that was never written is gone, and nothing appears'],
    ['src/testing/store-cases/patches.ts', 'ends once: true the first time, false after that and for what was never there'],
  ],
  '14 sockets see a stale copy and lose writes': [
    [SESSIONS, 'loads by token, by id, by headers; nothing that does not live'],
    [SESSION, 'fires the signal of the session'],
  ],
  '15 a flash message for each nested route': [[SESSION, 'is shown once, in order, and is not lost when parallel requests leave messages']],
  '16 a renewed secret is lost between two requests': [['test/adapters/pains.test.ts', 'give both of two requests that renew a secret at once the same new one']],
  '17 a secure cookie vanishes behind a proxy': [
    ['src/transports/cookie.test.ts', 'a cookie that cannot be sent leaves no session behind, and warns once'],
    ['src/adapters/express.test.ts', 'sends a plain cookie, and warns, when it does not'],
  ],
  '18 a logout leaves the cookie': [[`${CASES}/cookies.ts`, 'clears the cookie at destroy with the attributes that it was set with']],
  '19 two cookies of one name': [
    [`${CASES}/requests.ts`, 'finds the session among other cookies of its name'],
    ['src/transports/cookie.test.ts', 'a twin of an earlier scope is expired when it is met'],
  ],
  '20 a cookie with every response': [[`${CASES}/cookies.ts`, 'sends no cookie when nothing about it changed']],
  '21 a cache keeps the cookie': [
    [`${CASES}/cookies.ts`, 'forbids caches to keep a response with a cookie, unless the application has said what they may do'],
    [`${CASES}/cookies.ts`, 'sends no session cookie with a response that anybody may be given, and stores nothing for it'],
  ],
  '22 third parties, frames, SameSite': [
    ['src/transports/cookie.test.ts', 'takes settings for one response, which cannot undo what Partitioned needs'],
    ['src/adapters/cross-site.test.ts', 'refuses with 403 by default, and says nothing of its inside'],
  ],
  '23 /admin and /administrator': [['test/adapters/pains.test.ts', 'compare no paths themselves: the browser does, and by whole segments']],
  '24 several managers on one store': [['test/adapters/pains.test.ts', 'send each its own cookie, on one store']],
  '25 an overflow of 4 KB says nothing': [
    ['src/stores/cookie.test.ts', 'names the biggest keys when it does not fit, and leaves the old cookie alone'],
    [SESSION, 'names the biggest keys when a session grows too large'],
  ],
  '26 pieces of cookies lock their visitor out': [
    ['src/stores/cookie.test.ts', 'takes a second cookie when it needs one, and clears it when it does not'],
    ['src/stores/cookie.test.ts', 'with a piece missing, or of an older seal, gives a fresh session'],
  ],
  '43 types by augmentation': [
    ['src/adapters/types.test.ts', 'give every session the data that the application registered, or that its manager has'],
    ['src/adapters/types.test.ts', 'leave request.session to @types/express-session where the compatible adapter is used'],
  ],
  '44 an adapter for each framework': [
    ['test/frameworks.test.ts', 'serves, remembers and forgets its visitors, …'],
    ['src/testing/describe-adapter.test.ts', 'catches an adapter that …'],
  ],
  '45 at the edge': [['test/smoke/runtimes.test.ts', 'streams behind the commit']],
  '46 tests': [
    ['src/testing/login.test.ts', 'gives the cookie of a real session, with its owner and data'],
    ['src/testing/race-kit.test.ts', 'holds a call before the store is asked'],
  ],
}

describe('each pain', () => {
  it('from 1 to 26 and from 43 to 46 is listed once', () => {
    const numbers = [...Array.from({ length: 26 }, (_, at) => 1 + at), 43, 44, 45, 46]
    expect(Object.keys(PAINS).map((pain) => parseInt(pain, 10))).toEqual(numbers)
  })

  it.each(Object.entries(PAINS))('has a test: %s', (_, tests) => {
    for (const [file, title] of tests) expect([...titlesIn(file)]).toContain(title)
  })
})

describe('sessions', () => {
  it('give both of two requests that renew a secret at once the same new one', async () => {
    const sessions = createSessions<{ refresh: { token: string; renewed: number } }>({ sweepEvery: 'never' })
    const { id } = await sessions.create()
    await (await sessions.load({ id }))?.update('refresh', () => ({ token: 'first', renewed: 0 }))
    const [one, two] = [await sessions.load({ id }), await sessions.load({ id })]
    // Each has seen the first secret; whoever comes later keeps what the other has stored.
    const renew = (own: string) => (now: { token: string; renewed: number } = { token: '', renewed: 0 }) => (now.renewed === 0 ? { token: own, renewed: 1 } : now)
    const results = await Promise.all([one?.update('refresh', renew('of one')), two?.update('refresh', renew('of two'))])
    expect(results[0]).toEqual(results[1])
    expect((await sessions.load({ id }))?.get('refresh')).toEqual(results[0])
    await sessions.close()
  })

  it('send each its own cookie, on one store', async () => {
    const store = memoryStore()
    const [one, two] = [createSessions({ store, cookie: { name: 'one' } }), createSessions({ store, idleTimeout: '1 hour', cookie: { name: 'two', path: '/two', sameSite: 'strict', persistent: true } })]
    const handle = fetchSession(one, (request, first) => fetchSession(two, (_request, second) => {
      first.set('a', 1)
      second.set('b', 2)
      return new Response()
    })(request))
    const cookies = (await handle(new Request('http://localhost/two'))).headers.getSetCookie().toSorted()
    expect(cookies).toEqual([
      expect.stringMatching(/^one=[^;]+; (?!.*Max-Age)(?=.*Path=\/;)(?=.*SameSite=Lax)/),
      expect.stringMatching(/^two=[^;]+; (?=.*Max-Age=3\d{3};)(?=.*Path=\/two;)(?=.*SameSite=Strict)/),
    ])
    await one.close()
    await two.close()
  })

  it('compare no paths themselves: the browser does, and by whole segments', async () => {
    const sessions = createSessions<{ level: number }>({ cookie: { path: '/admin' } })
    const handle = fetchSession(sessions, (request, session) => {
      if (request.method === 'POST') session.set('level', 1)
      return new Response(String(session.get('level')))
    })
    const tab = browser(handle).tab()
    await tab.post('/admin')
    expect([(await tab.get('/admin/users')).text, (await tab.get('/administrator')).text]).toEqual(['1', 'undefined'])
    await sessions.close()
  })
})
