import { describe, expect, it } from 'vitest'
import { browser, type Browser, type BrowserOptions } from './browser.ts'

const HTTPS = { origin: 'https://shop.example.com' }
const DAY = 86_400_000

/** A browser whose every response carries these cookies and shows what the request brought. */
function visited(setCookies: readonly string[], options: BrowserOptions = HTTPS): Browser {
  return browser((request) => new Response(request.headers.get('cookie') ?? '', { headers: setCookies.map((header): [string, string] => ['set-cookie', header]) }), options)
}

function keeps(setCookie: string, origin = HTTPS.origin): boolean {
  return browser(() => new Response(), { origin }).receive([setCookie]) === 1
}

describe('a browser', () => {
  it('shows each Set-Cookie header, and sends what it kept to every tab', async () => {
    const visitor = visited(['a=1; Path=/', 'b=2; Path=/', '__Host-c=3; Path=/'])
    expect((await visitor.tab().get('/')).setCookies).toEqual(['a=1; Path=/', 'b=2; Path=/', '__Host-c=3; Path=/'])
    expect((await visitor.tab().get('/')).text).toBe('a=1; b=2')
  })

  it('keeps the cookies of two visitors apart', async () => {
    const [one, two] = [visited(['a=1']), visited(['a=1'])]
    await one.tab().get('/')
    expect([one.cookieHeader(), two.cookieHeader()]).toEqual(['a=1', undefined])
  })

  it('follows redirects only when asked, and makes a GET of a POST at 303', async () => {
    const seen: string[] = []
    const visitor = browser(async (request) => {
      const { pathname } = new URL(request.url)
      seen.push(`${request.method} ${pathname} ${await request.text()} ${request.headers.get('cookie') ?? ''}`.trim())
      if (pathname === '/loop') return new Response(null, { status: 302, headers: { location: '/loop' } })
      return pathname === '/login' ? new Response(null, { status: 303, headers: { location: 'home', 'set-cookie': 'sid=1' } }) : new Response('home')
    })
    const tab = visitor.tab()
    expect((await tab.post('/login', { user: 'ada' })).status).toBe(303)
    const page = await tab.post('/login', { user: 'ada' }, { follow: true })
    expect([page.status, page.text, page.url, tab.url]).toEqual([200, 'home', 'http://localhost/home', 'http://localhost/home'])
    expect(seen).toEqual(['POST /login user=ada', 'POST /login user=ada sid=1', 'GET /home  sid=1'])
    await expect(tab.get('/loop', { follow: true })).rejects.toThrow('More than 20 redirects')
  })

  it('keeps method and body at 307', async () => {
    const visitor = browser(async (request) => (request.url.endsWith('/new') ? new Response(`${request.method} ${await request.text()}`) : new Response(null, { status: 307, headers: { location: '/new' } })))
    expect((await visitor.tab().post('/', 'text', { follow: true })).text).toBe('POST text')
  })

  it('resolves addresses in a tab against the page that it shows', async () => {
    const visitor = browser((request) => new Response(request.url))
    const tab = visitor.tab()
    await tab.get('/shop/cart')
    expect((await tab.get('item?n=1')).text).toBe('http://localhost/shop/item?n=1')
    expect((await visitor.tab().get('item')).text).toBe('http://localhost/item')
  })

  it('reads JSON', async () => {
    expect((await browser(() => Response.json({ a: 1 })).tab().get('/')).json()).toEqual({ a: 1 })
  })

  it('takes cookies from elsewhere, forgets those without an expiry when it is restarted, and all when it is cleared', () => {
    const visitor = browser(() => new Response())
    expect(visitor.receive(['a=1', 'b=2; Max-Age=60', 'bad=1; Secure'], '/x')).toBe(2)
    visitor.restart()
    expect(visitor.cookies.map(({ name }) => name)).toEqual(['b'])
    visitor.clear()
    expect(visitor.cookieHeader('/x')).toBeUndefined()
  })
})

describe('a cookie', () => {
  it('is sent below its path only', async () => {
    const visitor = visited(['a=1; Path=/admin'])
    await visitor.tab().get('/')
    const sent = ['/admin', '/admin/', '/admin/x', '/administrator', '/'].map((path) => visitor.cookieHeader(path))
    expect(sent).toEqual(['a=1', 'a=1', 'a=1', undefined, undefined])
  })

  it('without a path has that of the request', async () => {
    const visitor = visited(['a=1', 'b=1; Path=nonsense'])
    await visitor.tab().get('/shop/cart')
    expect(visitor.cookies.map(({ path }) => path)).toEqual(['/shop', '/shop'])
    const root = visited(['a=1'])
    await root.tab().get('/cart')
    expect(root.cookies.map(({ path }) => path)).toEqual(['/'])
  })

  it('with the longer path comes first, then the older', async () => {
    const visitor = visited(['a=root; Path=/', 'b=root; Path=/', 'a=shop; Path=/shop'])
    await visitor.tab().get('/')
    expect(visitor.cookieHeader('/shop')).toBe('a=shop; a=root; b=root')
    visitor.receive(['a=again; Path=/'])
    expect(visitor.cookieHeader('/shop')).toBe('a=shop; a=again; b=root')
  })

  it('with a domain goes to hosts below it, without one to its host alone', async () => {
    const visitor = visited(['own=1', 'shared=1; Domain=.Example.com'])
    await visitor.tab().get('/')
    const other = visitor.cookieHeader('https://www.example.com/')
    expect([visitor.cookieHeader(), other, visitor.cookieHeader('https://example.org/')]).toEqual(['own=1; shared=1', 'shared=1', undefined])
  })

  it.each([
    ['of another domain', 'a=1; Domain=example.org'], ['of a host beside', 'a=1; Domain=www.example.com'], ['of a part of a name', 'a=1; Domain=ample.com'],
    ['of a whole suffix', 'a=1; Domain=com'], ['without name and value', '='], ['with a control character', 'a=1\u0001'], ['too long', `a=${'x'.repeat(4096)}`],
    ['__Host- with a domain', '__Host-a=1; Secure; Path=/; Domain=shop.example.com'], ['__Host- with another path', '__Host-a=1; Secure; Path=/x'],
    ['__Host- without a path', '__Host-a=1; Secure'], ['__Host- that is not secure', '__Host-a=1; Path=/'], ['__host- in small letters', '__host-a=1; Path=/'],
    ['__Secure- that is not secure', '__Secure-a=1'], ['without a name that looks like __Host-', '__Host-a; Secure; Path=/'],
    ['SameSite=None that is not secure', 'a=1; SameSite=None'], ['Partitioned that is not secure', 'a=1; Partitioned'],
  ])('%s is dropped', (_what, setCookie) => {
    expect(keeps(setCookie)).toBe(false)
  })

  it.each([
    '__Host-a=1; Secure; Path=/', '__Secure-a=1; Secure; Domain=example.com; Path=/x', 'a=1; SameSite=None; Secure', 'a=1; Secure; Partitioned', 'a', 'a=1; SameSite=nonsense', 'a=1; Domain=',
  ])('%s is kept', (setCookie) => {
    expect(keeps(setCookie)).toBe(true)
  })

  it('that is secure needs https, on localhost as well', async () => {
    expect(keeps('a=1; Secure', 'http://localhost:3000')).toBe(false)
    expect(keeps('a=1; Secure', 'https://localhost:3000')).toBe(true)
    const visitor = visited(['a=1; Secure; Domain=example.com'])
    await visitor.tab().get('/')
    expect(visitor.cookieHeader('http://shop.example.com/')).toBeUndefined()
  })

  it('that is secure is not replaced over http', async () => {
    const visitor = visited(['a=1; Secure', 'b=1; Secure; Path=/deep'])
    await visitor.tab().get('/')
    expect(visitor.receive(['a=planted', 'a=planted; Path=/deep', 'b=planted'], 'http://shop.example.com/')).toBe(1)
    expect(visitor.cookieHeader('/')).toBe('a=1; b=planted')
  })

  it('that is partitioned stands beside its twin that is not', async () => {
    const visitor = visited(['a=1; Secure; Path=/', 'a=2; Secure; Path=/; Partitioned'])
    await visitor.tab().get('/')
    expect(visitor.cookieHeader()).toBe('a=1; a=2')
  })

  it('is deleted by one of the same name, path and domain with an expiry that has passed, and by no other', async () => {
    const visitor = visited(['a=1; Path=/x'])
    await visitor.tab().get('/')
    visitor.receive(['a=; Path=/; Max-Age=0', 'a=; Path=/x; Domain=example.com; Max-Age=0'])
    expect(visitor.cookieHeader('/x')).toBe('a=1')
    visitor.receive(['a=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT'])
    expect(visitor.cookies).toEqual([])
  })

  it('expires by the clock of the test; Max-Age counts before Expires, and 400 days are the most', async () => {
    let now = Date.UTC(2026, 0, 1)
    const visitor = visited(['a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT', `b=1; Expires=${new Date(now + 2 * DAY).toUTCString()}`, 'c=1; Max-Age=99999999999', 'd=1; Max-Age=1e3'], { ...HTTPS, clock: () => now })
    await visitor.tab().get('/')
    const after = (ms: number): string | undefined => { now += ms; return visitor.cookieHeader() }
    expect([after(0), after(60_000), after(2 * DAY), after(397 * DAY), after(2 * DAY)]).toEqual(['a=1; b=1; c=1; d=1', 'b=1; c=1; d=1', 'c=1; d=1', 'c=1; d=1', 'd=1'])
  })
})
