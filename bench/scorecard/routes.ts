/** What the routes need of one request's session, whatever library keeps it. */
export interface Visit {
  login(owner: string): unknown
  logout(): unknown
  write(key: string, value: string): unknown
  owner(): unknown
  data(): Record<string, unknown>
}

/** The text of the answer: the routes that `races` drives. Each library does here what its documentation says. */
export async function answer(url: string, visit: Visit): Promise<string> {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const query = (name: string): string => searchParams.get(name) ?? ''
  if (pathname === '/who') return JSON.stringify({ owner: visit.owner() ?? null, data: visit.data() })
  if (pathname === '/login') await visit.login(query('as'))
  if (pathname === '/logout') await visit.logout()
  if (pathname === '/slow') await fetch(query('gate'))
  if (pathname === '/slow' || pathname === '/write') await visit.write(query('key'), query('value'))
  return 'done'
}

/** Waits at the gates that are named in what a store is about to save. Rejects when a gate says that saving fails. */
export async function waitAtGates(saved: unknown): Promise<void> {
  for (const [, url = ''] of String(JSON.stringify(saved)).matchAll(/hold (http:\/\/127\.0\.0\.1:\d+\/[\w-]+)/g)) {
    const { ok } = await fetch(url)
    if (!ok) throw new Error('The store fails on purpose.')
  }
}

/** Lets the methods of a store wait with what they are given. */
export function holding<Store extends object>(store: Store, ...methods: readonly string[]): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      if (!methods.includes(String(name))) return value.bind(target)
      return async (...args: unknown[]): Promise<unknown> => {
        const done = args.at(-1)
        try {
          await waitAtGates(args)
        } catch (error) {
          if (typeof done !== 'function') throw error
          return done(error)
        }
        return Reflect.apply(value, target, args)
      }
    },
  })
}

/** Tells the parent process the port, and ends with it. */
export function tellPort(address: unknown): void {
  process.send?.(typeof address === 'object' && address !== null ? Reflect.get(address, 'port') : undefined)
  process.once('disconnect', () => process.exit())
}
