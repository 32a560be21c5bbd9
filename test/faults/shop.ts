import type { Store } from '../../src/core/store.ts'
import { isSessionError } from '../../src/core/errors.ts'
import type { SessionsOptions } from '../../src/index.ts'
import { cookieOf, post, startSite, type Data, type Site } from '../attacks/site.ts'

/** A site with a visitor who has stored 1. */
export interface Shop extends Site {
  readonly cookie: string
  /** What the visitor is shown; the status, when it is none of success. */
  get(): Promise<string>
  /** The status. */
  set(value: unknown): Promise<number>
}

/** Opens a site on the store, with a `storeTimeout` of a second. */
export async function openShop(store: Store, options: SessionsOptions<Data> = {}): Promise<Shop> {
  const site = await startSite({ store, storeTimeout: 1, ...options })
  const cookie = cookieOf(await site.ask('/set', post({ n: 1 }))) ?? ''
  return {
    ...site, cookie,
    async get() {
      const { status, body } = await site.ask('/get', { cookie })
      return status === 200 ? body : String(status)
    },
    set: async (value) => (await site.ask('/set', post({ n: value }, cookie))).status,
  }
}

/** The page of a visitor who has stored this. */
export const holds = (n: unknown): string => JSON.stringify({ owner: null, data: { n } })
/** The page of a stranger. */
export const FRESH = '{"owner":null,"data":{}}'

/** What the application was told, each once: code and outcome. */
export function failures({ errors }: Site): readonly unknown[] {
  return [...new Set(errors.map((error) => (isSessionError(error) ? `${error.code}${error.outcome === undefined ? '' : ` ${error.outcome}`}` : error)))].toSorted()
}

/** Asks again until the answer is there, as a visitor does. Answers the last when it does not come. */
export async function once<T>(ask: () => Promise<T>, isThere: (answer: T) => boolean, tries = 200): Promise<T> {
  for (let n = 1; ; n += 1) {
    const answer = await ask()
    if (isThere(answer) || n >= tries) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
