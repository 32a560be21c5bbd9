/** What the routes need of a session, whatever library keeps it. */
export interface Bag {
  get(key: string): unknown
  set(key: string, value: unknown): unknown
  end(): Promise<unknown>
  /** Where the application has to ask for it. */
  save?(): Promise<unknown>
}

let requests = 0

/** The text of the answer; the same work in every variant. A promise only where something has to be waited for. */
export function answer(path: string, bag: Bag | undefined): string | Promise<string> {
  requests += 1
  if (path === '/anonymous') return 'hello stranger'
  if (path === '/read' || path === '/large') return greeting(bag)
  if (path === '/write') return saved(bag, () => bag?.set('key3', `written ${requests}`))
  if (path === '/login') return saved(bag, () => fill(bag, 120))
  if (path === '/login-large') return saved(bag, () => fill(bag, 1250))
  if (path.startsWith('/key/')) return saved(bag, () => bag?.set(path.slice(5), 1))
  if (path === '/keys') return String(Array.from({ length: 100 }, (_, n) => bag?.get(`n${n}`)).filter((value) => value === 1).length)
  if (path === '/logout') return ended(bag)
  return slow(bag)
}

function greeting(bag: Bag | undefined): string {
  return `hello ${String(bag?.get('key3') ?? 'nobody').slice(0, 20)}`
}

/** Eight keys: about 1 KB, or 10 KB. */
function fill(bag: Bag | undefined, length: number): void {
  for (let n = 0; n < 8; n += 1) bag?.set(`key${n}`, `${n}`.repeat(length))
}

function saved(bag: Bag | undefined, change: () => unknown): string | Promise<string> {
  change()
  const text = greeting(bag)
  return bag?.save === undefined ? text : bag.save().then(() => text)
}

async function ended(bag: Bag | undefined): Promise<string> {
  await bag?.end()
  return 'bye'
}

async function slow(bag: Bag | undefined): Promise<string> {
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  return saved(bag, () => bag?.set('key4', 'slow'))
}

/** Tells the parent process the port, and at each question how much time of the processor was taken. Ends with the parent. */
export function serveParent(address: unknown): void {
  process.on('message', () => process.send?.(process.cpuUsage()))
  process.send?.(typeof address === 'object' && address !== null ? Reflect.get(address, 'port') : undefined)
  process.once('disconnect', () => process.exit())
}
