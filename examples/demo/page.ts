export interface Device {
  readonly id: string
  readonly name: string
  readonly since: number
  readonly isThis: boolean
}

export interface Order {
  readonly items: readonly string[]
  readonly note: string
}

export interface View {
  readonly user: string | undefined
  readonly cart: readonly string[]
  readonly theme: 'light' | 'dark'
  readonly views: number
  readonly notices: readonly string[]
  readonly orders: readonly Order[]
  readonly devices: readonly Device[]
  readonly goods: readonly string[]
  /** Undefined for a visitor of whom nothing is stored. */
  readonly id: string | undefined
}

export interface LoginView {
  readonly theme: 'light' | 'dark'
  /** The request that waits for the visitor to log in. */
  readonly wanted: string | undefined
  /** Carries the id of what was interrupted, of this tab alone. */
  readonly hiddenField: string
}

export function page(view: View): string {
  return documentWith(view.theme, `<header>
  <div class="brand"><span class="mark">S</span><div><h1>The corner shop</h1><p>a demonstration of Sojourn</p></div></div>
  ${account(view)}
</header>
<main>
${view.notices.map((notice) => `<p class="notice" role="status">${escape(notice)}</p>`).join('')}
<section class="wide"><h2>Goods</h2><div class="goods">${view.goods.map(good).join('')}</div></section>
${cart(view)}
${counter(view)}
${parallel()}
${orders(view)}
${devices(view)}
</main>
<footer>${view.id === undefined
    ? 'You have only looked, so there is <b>no cookie and nothing stored</b>.'
    : `Session <code>${escape(view.id)}</code> · the public part of your token; the secret part is stored nowhere.`}</footer>
<script>${SCRIPT}</script>`)
}

export function loginPage({ theme, wanted, hiddenField }: LoginView): string {
  return documentWith(theme, `<main class="narrow"><section>
<h2>Log in</h2>
<p class="dim">${wanted === undefined ? 'Any name will do.' : `Your request <code id="wanted">${escape(wanted)}</code> waits: it goes on where it was, with all you typed, as soon as you are in.`}</p>
<form method="post" action="/login" class="login">${hiddenField}<input name="user" placeholder="Your name" aria-label="Your name" required maxlength="40" autofocus><button id="login">Log in</button></form>
<p class="dim"><a href="/">Not now</a></p>
</section></main>`)
}

function documentWith(theme: 'light' | 'dark', body: string): string {
  return `<!doctype html>
<html lang="en" data-theme="${theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The corner shop · Sojourn</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

function account({ user, theme }: View): string {
  const toggle = `<form method="post" action="/theme"><button class="quiet" aria-label="Change the theme">${theme === 'dark' ? '☀ Light' : '☾ Dark'}</button></form>`
  if (user === undefined) return `<div class="account">${toggle}<form method="post" action="/login" class="login"><input name="user" placeholder="Your name" aria-label="Your name" required maxlength="40"><button id="login">Log in</button></form></div>`
  return `<div class="account">${toggle}<span>Signed in as <b id="user">${escape(user)}</b></span><form method="post" action="/logout"><button id="logout" class="quiet">Log out</button></form></div>`
}

function good(name: string): string {
  return `<form method="post" action="/cart"><input type="hidden" name="item" value="${escape(name)}"><button class="good"><span>${escape(name)}</span><small>add to cart</small></button></form>`
}

function cart({ cart: items }: View): string {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  const list = [...counts].map(([item, count]) => `<li><span>${escape(item)}</span><b>×${count}</b></li>`).join('')
  return `<section><h2>Cart</h2>${list === '' ? '<p class="dim">Nothing in it yet.</p>' : `<ul class="rows" id="cart">${list}</ul><form method="post" action="/order" class="order"><input name="note" placeholder="A note, if you like" aria-label="A note" maxlength="200"><button id="order">Order</button></form><form method="post" action="/cart/empty"><button class="quiet">Empty it</button></form>`}</section>`
}

function orders({ orders: list }: View): string {
  if (list.length === 0) return ''
  const rows = list.map(({ items, note }) => `<li><div><b>${escape(items.join(', '))}</b>${note === '' ? '' : `<small>${escape(note)}</small>`}</div></li>`)
  return `<section class="wide"><h2>Your orders</h2><ul class="rows" id="orders">${rows.join('')}</ul></section>`
}

function counter({ views }: View): string {
  return `<section><h2>Visits</h2><p class="number" id="views">${views}</p><p class="dim">Counted with <code>session.update</code>: no click is lost, whatever else runs.</p><form method="post" action="/views"><button>Count one more</button></form></section>`
}

function parallel(): string {
  return `<section><h2>Fifty at once</h2><div class="dots" id="dots" aria-hidden="true">${'<i></i>'.repeat(50)}</div><p class="dim" id="landed" role="status">Fifty requests write to this one session at the same time, each its own key.</p><button id="fire">Fire 50 requests</button></section>`
}

function devices({ user, devices: list }: View): string {
  if (user === undefined) return '<section class="wide"><h2>Your devices</h2><p class="dim">Log in, here and in another browser, to see them listed.</p></section>'
  const rows = list.map(({ id, name, since, isThis }) => `<li><div><b>${escape(shortName(name))}</b>${isThis ? ' <em>this one</em>' : ''}<small>since ${new Date(since).toISOString().slice(0, 16).replace('T', ' ')} · ${escape(id.slice(0, 8))}…</small></div><form method="post" action="/devices/${escape(id)}/end"><button class="quiet">End</button></form></li>`)
  return `<section class="wide"><h2>Your devices</h2><ul class="rows" id="devices">${rows.join('')}</ul><form method="post" action="/devices/end"><button class="danger" id="everywhere">Log out everywhere</button></form></section>`
}

function shortName(agent: string): string {
  const browser = /(Firefox|Edg|Chrome|Safari|curl)\/[\d]+/.exec(agent)?.[0]?.replace('/', ' ').replace('Edg', 'Edge')
  const system = /(Windows|Mac OS X|Android|iPhone|Linux)/.exec(agent)?.[0]
  return [browser ?? agent.slice(0, 40), system].filter(Boolean).join(' on ')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

const SCRIPT = `
document.getElementById('fire').addEventListener('click', async ({ currentTarget: button }) => {
  const dots = [...document.querySelectorAll('#dots i')]
  const text = document.getElementById('landed')
  button.disabled = true
  dots.forEach((dot) => dot.classList.remove('done'))
  // The first request makes the session where there is none yet; then all go at once.
  await fetch('/stamps', { method: 'POST' })
  await Promise.all(dots.map(async (dot, n) => {
    const { ok } = await fetch('/stamps/' + n, { method: 'POST' })
    if (ok) dot.classList.add('done')
  }))
  const { landed } = await (await fetch('/stamps')).json()
  text.innerHTML = '<b>' + landed + ' of 50</b> are in the session.'
  text.dataset.landed = landed
  button.disabled = false
})`

const STYLE = `
:root { --paper: #f6f3ec; --card: #fffdf8; --ink: #24221d; --dim: #77705f; --line: #e2dccd; --accent: #17694f; --accent-ink: #fff; --danger: #a8362a; --good: #edf4ee; }
[data-theme=dark] { --paper: #16181a; --card: #1f2224; --ink: #ece8df; --dim: #9a958a; --line: #33373a; --accent: #58c39b; --accent-ink: #10201a; --danger: #e8806f; --good: #24302b; }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
header, main, footer { max-width: 60rem; margin: 0 auto; padding: 1.25rem 1.5rem }
header { display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between; align-items: center }
h1 { margin: 0; font-size: 1.3rem; letter-spacing: -.01em } h2 { margin: 0 0 .75rem; font-size: 1rem }
.brand { display: flex; gap: .8rem; align-items: center } .brand p { margin: 0; color: var(--dim); font-size: .85rem }
.mark { width: 2.6rem; height: 2.6rem; border-radius: .8rem; background: var(--accent); color: var(--accent-ink); display: grid; place-items: center; font: 700 1.4rem Georgia, serif }
.account, .login { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap } .account { font-size: .92rem }
main { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; padding-top: 0 }
section { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 1.1rem 1.25rem; display: flex; flex-direction: column }
section > form:last-child, section > button:last-child { margin-top: auto; padding-top: .4rem } section > button:last-child { padding: .5rem .95rem; align-self: flex-start }
.wide, .notice { grid-column: 1 / -1 }
.notice { margin: 0; padding: .7rem 1rem; border-radius: .8rem; background: var(--good); border: 1px solid var(--accent) }
.goods { display: grid; grid-template-columns: repeat(6, 1fr); gap: .6rem } .goods form { display: flex }
button { font: inherit; font-weight: 600; border: 1px solid var(--accent); background: var(--accent); color: var(--accent-ink); border-radius: .7rem; padding: .5rem .95rem; cursor: pointer }
button:hover { filter: brightness(1.08) } button:focus-visible, input:focus-visible { outline: 3px solid color-mix(in srgb, var(--accent) 45%, transparent); outline-offset: 1px } button:disabled { opacity: .5; cursor: progress }
.quiet { background: transparent; color: var(--ink); border-color: var(--line); font-weight: 500 } .danger { background: transparent; color: var(--danger); border-color: var(--danger) }
.good { flex: 1; background: var(--good); color: var(--ink); border-color: var(--line); display: flex; flex-direction: column; gap: .15rem; padding: .9rem .4rem; text-align: center } .good small { color: var(--dim); font-weight: 400 }
.narrow { grid-template-columns: minmax(0, 28rem); justify-content: center; padding-top: 3rem } .order { display: flex; gap: .6rem; margin-bottom: .4rem } .order input { flex: 1; min-width: 0 } a { color: inherit }
input { font: inherit; padding: .5rem .8rem; border-radius: .7rem; border: 1px solid var(--line); background: var(--card); color: var(--ink); width: 10rem }
.rows { list-style: none; margin: 0 0 .9rem; padding: 0 } .rows li { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .45rem 0; border-bottom: 1px solid var(--line) } .rows li:last-child { border-bottom: 0 }
.rows small { display: block; color: var(--dim) } .rows em { font-style: normal; font-size: .75rem; background: var(--good); border-radius: 1rem; padding: .1rem .55rem; margin-left: .3rem }
.number { font: 700 2.6rem/1 Georgia, serif; margin: 0 0 .5rem } .dim { color: var(--dim); margin: 0 0 .9rem; font-size: .92rem }
.dots { display: grid; grid-template-columns: repeat(10, 1fr); gap: .3rem; margin-bottom: .7rem } .dots i { aspect-ratio: 1; border-radius: .3rem; background: var(--line); transition: background .2s } .dots .done { background: var(--accent) }
code { font: .85em ui-monospace, monospace; background: var(--good); padding: .1em .35em; border-radius: .3em } footer { color: var(--dim); font-size: .88rem; padding-bottom: 3rem }
@media (max-width: 46rem) { main { grid-template-columns: 1fr } .goods { grid-template-columns: repeat(2, 1fr) } }
`
