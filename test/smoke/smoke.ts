import type { Session, Sessions } from 'sojourn'

/** What the smoke's sessions hold. */
export interface Data {
  profile: { readonly name: string; readonly since: Date; readonly tags: ReadonlySet<string> }
  note: string
  count: number
  late: string
}

/** An answer that each kind of server can make into a response of its own. */
export interface Answer {
  readonly status: number
  readonly body: string | AsyncIterable<string>
}

/** The managers of a runtime, by the name of their store: `/memory/read` goes to `memory`. */
export type Managers = Readonly<Record<string, Sessions<Data>>>

/** The name of the store in a path, and what is to be done. */
export function routeOf(url: string): { readonly store: string; readonly action: string } {
  const [, store = '', action = ''] = new URL(url, 'http://localhost').pathname.split('/')
  return { store, action }
}

/** One step of the smoke. */
export async function act(action: string, session: Session<Data>): Promise<Answer> {
  switch (action) {
    case 'create':
      session.set('profile', { name: 'Ada', since: new Date(0), tags: new Set(['a', 'b']) })
      return text('created')
    case 'read':
      return text(JSON.stringify(seen(session)))
    case 'write':
      session.set('note', 'written')
      return text('written')
    case 'update':
      return text(String(await session.update('count', (count = 0) => count + 1).catch(codeOf)))
    case 'regenerate':
      return text(await session.regenerate())
    case 'destroy':
      await session.destroy()
      return text('destroyed')
    case 'stream':
      session.set('note', 'streamed')
      return { status: 200, body: stream(session) }
    case 'throw':
      session.set('note', 'lost')
      throw new Error('as asked')
    default:
      return { status: 404, body: 'unknown' }
  }
}

function text(body: string): Answer {
  return { status: 200, body }
}

function seen(session: Session<Data>): object {
  const { since, tags } = session.get('profile') ?? {}
  return { since: since?.getTime(), tags: tags && [...tags], note: session.get('note'), count: session.get('count'), late: session.get('late') }
}

// The head has left by the second part: data can still be committed by hand, a new token cannot be given.
async function* stream(session: Session<Data>): AsyncIterable<string> {
  yield 'one '
  session.set('late', await session.regenerate().catch(codeOf))
  yield await session.commit().catch(codeOf)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'failed'
}
