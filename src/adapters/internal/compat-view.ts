import { SessionError } from '../../core/errors.ts'
import { lifeOf, type Session } from '../../core/session.ts'
import { CompatCookie } from './compat-cookie.ts'

/** Called when it is done, with the error if there was one: Node's and express-session's convention. */
export type CompatCallback = (error?: unknown) => void

/** What express-session's session has beside the application's properties. Each method resolves as well as it calls back. */
export interface CompatMethods {
  /** Made anew by {@link regenerate}. */
  readonly id: string
  readonly cookie: CompatCookie
  /** Ends the session; `request.session` is an empty one with another id and token, which is stored when something is put into it. */
  regenerate(callback?: CompatCallback): Promise<void>
  /** Stores what has changed, now. */
  save(callback?: CompatCallback): Promise<void>
  /** Reads the session anew and forgets what this request has changed. An error when it has ended. */
  reload(callback?: CompatCallback): Promise<void>
  /** Ends the session; `request.session` is undefined from now on. */
  destroy(callback?: CompatCallback): Promise<void>
  /** Moves the idle deadline at the end of this request, due or not. */
  touch(): this
  resetMaxAge(): this
}

type Entries = Pick<Session, 'get' | 'set' | 'has' | 'delete'> & { keys(): Iterable<string> }

/** Puts a view where the application looks for it; undefined: there is no session any more. */
export type Show = (view: object | undefined) => void

/** The session as express-session shows it: properties are entries, among some methods. */
export function compatView(session: Session, show: Show): object {
  const life = lifeOf(session)
  const cookie = new CompatCookie(session)
  let entries: Entries = session
  const regenerate = async (): Promise<void> => {
    // Who holds on to the old session, as Passport does to keep its data, finds there what it held.
    const before = new Map(Object.entries(session.toObject()))
    await session.destroy()
    // Not only emptied: what other requests still write to the old one goes nowhere, and whoever has planted its token has nothing.
    life.becomeBlank('absent')
    entries = before
    show(compatView(session, show))
  }
  const save = async (): Promise<void> => {
    if ((await session.commit()) === 'gone' && life.core.settings.onGone === 'fail') throw new SessionError('ERR_SESSION_GONE', 'The session ended while this request ran, so its changes were not stored. Repeat the request.')
  }
  const reload = async (): Promise<void> => {
    await session.load({ fresh: true })
    if (session.isNew) throw new SessionError('ERR_SESSION_GONE', 'The session cannot be read anew: it has ended, or was never stored. Go on without it.')
  }
  const destroy = (): Promise<void> => {
    show(undefined)
    return session.destroy()
  }
  const fixed: object = {
    get id() { return session.id },
    cookie,
    regenerate: telling(regenerate), save: telling(save), reload: telling(reload), destroy: telling(destroy),
    touch(this: unknown) { if (!session.isNew) session.isChanged = true; return this },
    resetMaxAge(this: unknown) { return this },
  }
  const put = (key: string | symbol, value: unknown): boolean => {
    if (typeof key !== 'string') return false
    if (Object.hasOwn(fixed, key)) throw new SessionError('ERR_SESSION_USAGE', `request.session.${key} belongs to the session itself. Keep the value under another name.`)
    entries.set(key, value)
    cookie.begun()
    return true
  }
  return new Proxy(Object.create(null, { [INSPECT]: { configurable: true, value: () => Object.fromEntries([...entries.keys()].map((key) => [key, entries.get(key)])) } }), {
    get(target, key, receiver) {
      if (typeof key !== 'string') return Reflect.get(target, key)
      if (Object.hasOwn(fixed, key)) return Reflect.get(fixed, key)
      if (entries.has(key)) return entries.get(key)
      // No other inherited property: `request.session[name]` must not lead to a prototype that all sessions share.
      return INHERITED.includes(key) ? Reflect.get(Object.prototype, key, receiver) : undefined
    },
    set: (_target, key, value) => put(key, value),
    defineProperty: (_target, key, { value }) => put(key, value),
    deleteProperty(_target, key) {
      if (typeof key === 'string') entries.delete(key)
      return true
    },
    has: (_target, key) => typeof key === 'string' && (Object.hasOwn(fixed, key) || entries.has(key)),
    ownKeys: () => [...entries.keys()].filter((key) => !Object.hasOwn(fixed, key)),
    getOwnPropertyDescriptor(_target, key) {
      if (typeof key !== 'string' || !entries.has(key)) return undefined
      return { value: entries.get(key), writable: true, enumerable: true, configurable: true }
    },
  })
}

const INSPECT = Symbol.for('nodejs.util.inspect.custom')
const INHERITED: readonly string[] = ['hasOwnProperty', 'propertyIsEnumerable', 'toString', 'toLocaleString', 'valueOf']

/** Calls back, outside of the promise, so that what the callback throws is not taken for a failure of the session. */
function telling(act: () => Promise<void>): (callback?: CompatCallback) => Promise<void> {
  return (callback) => {
    const done = act()
    if (typeof callback === 'function') done.then(() => process.nextTick(callback), (error: unknown) => process.nextTick(callback, error))
    // Who neither waits nor listens must not bring the process down; a commit is tried again at the end of the request.
    else done.catch(() => {})
    return done
  }
}
