import { SessionError } from '../../core/errors.ts'

/** memcache-client. */
export interface PromisingClient {
  gets(key: string): PromiseLike<unknown>
  add(key: string, value: string, options: { readonly lifetime: number }): PromiseLike<unknown>
  cas(key: string, value: string, options: { readonly lifetime: number; readonly casUniq: string }): PromiseLike<unknown>
  xsend(data: string): PromiseLike<unknown>
}

type Callback = (error: unknown, answer: unknown) => void

/** memcached. */
export interface CallbackClient {
  gets(key: string, done: Callback): unknown
  add(key: string, value: string, lifetime: number, done: Callback): unknown
  cas(key: string, value: string, token: string, lifetime: number, done: Callback): unknown
  getMulti(keys: string[], done: Callback): unknown
}

interface Node {
  command(command: string, options?: { isMultiline?: boolean; requestedKeys?: string[] }): PromiseLike<unknown>
  isConnected(): boolean
  reconnect(): PromiseLike<void>
}

/** memcache. */
export interface NodeClient {
  readonly hash: { getNodesByKey(key: string): readonly Node[] }
}

/** What the store asks of memcached. Each rejects when the server or the connection fails. */
export interface Commands {
  /** The text under the key and the token that a later `cas` names. */
  gets(key: string): Promise<{ readonly text: unknown; readonly token: string } | undefined>
  /** False when something is under the key. */
  add(key: string, text: string, lifetime: number): Promise<boolean>
  /** False when the key was written since, or has nothing any more. */
  cas(key: string, text: string, token: string, lifetime: number): Promise<boolean>
}

/** The commands through one of the three clients. Throws `ERR_SESSION_OPTION` for any other, and for one that answers from several servers for one key. */
export function commandsOf(client: unknown): Commands {
  if (isObject(client) && isPromising(client)) return promising(client)
  if (isObject(client) && isCalling(client)) return calling(client)
  if (isObject(client) && isOfNodes(client)) return ofNodes(client)
  throw optionError('memcachedStore takes a client of the package memcache-client, memcached or memcache. Pass one; memjs has no compare-and-set, so it cannot keep sessions.')
}

function isPromising(client: object): client is PromisingClient {
  return has(client, 'xsend') && has(client, 'gets') && has(client, 'cas')
}

function promising(client: PromisingClient): Commands {
  if (serversOf(client).length > 1) throw severalServers()
  return {
    async gets(key) {
      const found = await client.gets(key)
      return isObject(found) ? { text: Reflect.get(found, 'value'), token: String(Reflect.get(found, 'casUniq')) } : undefined
    },
    add: (key, text, lifetime) => unlessRefused(client.add(key, text, { lifetime })),
    cas: (key, text, casUniq, lifetime) => unlessRefused(client.cas(key, text, { lifetime, casUniq })),
  }
}

const REFUSALS: readonly unknown[] = ['NOT_STORED', 'EXISTS', 'NOT_FOUND']

/** The client rejects with the server's word also when that word is an answer. */
async function unlessRefused(call: PromiseLike<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (error instanceof Error && REFUSALS.includes(error.message)) return false
    throw error
  }
}

// This client takes one of its servers at random: they are to be proxies of one cache, which nothing here can know.
function serversOf(client: object): readonly unknown[] {
  const options: unknown = Reflect.get(client, 'options')
  const server: unknown = isObject(options) ? Reflect.get(options, 'server') : undefined
  const servers: unknown = isObject(server) ? Reflect.get(server, 'servers') : undefined
  return Array.isArray(servers) ? servers : []
}

function isCalling(client: object): client is CallbackClient {
  return has(client, 'getMulti') && has(client, 'gets') && has(client, 'cas')
}

function calling(client: CallbackClient): Commands {
  for (const name of ['redundancy', 'failOverServers', 'remove']) if (Reflect.get(client, name)) throw severalServers()
  return {
    async gets(key) {
      const found = await answer((done) => client.gets(key, done))
      if (found === false) throw new Error('The server answered with an error')
      if (!isObject(found)) return undefined
      const name = Object.keys(found).find((name) => name !== 'cas') ?? ''
      return { text: Reflect.get(found, name), token: String(Reflect.get(found, 'cas')) }
    },
    async add(key, text, lifetime) {
      const stored = await answer((done) => client.add(key, text, lifetime, (error, stored) => (isNotStored(error) ? done(undefined, 'taken') : done(error, stored))))
      if (stored === false) throw new Error('The server answered with an error')
      return stored === true
    },
    cas: async (key, text, token, lifetime) => (await answer((done) => client.cas(key, text, token, lifetime, done))) === true,
  }
}

function isNotStored(error: unknown): boolean {
  return isObject(error) && Reflect.get(error, 'notStored') === true
}

const PATIENCE_MS = 5000

/** What the client calls back with. It never does for a command that was under way when its connection broke, hence the limit. */
function answer(start: (done: Callback) => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The client did not call back within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS)
    start((error, value) => {
      clearTimeout(timer)
      if (error === undefined || error === null) resolve(value)
      else reject(error)
    })
  })
}

function isOfNodes(client: object): client is NodeClient {
  const hash: unknown = Reflect.get(client, 'hash')
  return isObject(hash) && has(hash, 'getNodesByKey')
}

// The methods of this client answer a failure as if nothing were there, and do not hand out the token of gets. Its nodes do neither.
function ofNodes(client: NodeClient): Commands {
  const connect = connector()
  const nodeOf = async (key: string): Promise<Node> => {
    const [node, ...others] = client.hash.getNodesByKey(key)
    if (node === undefined || others.length > 0) throw severalServers()
    if (!node.isConnected()) await connect(node)
    return node
  }
  return {
    async gets(key) {
      const node = await nodeOf(key)
      // The token first, the text after it: a text that was written in between has another token, and cas then fails.
      const [head, found] = await Promise.all([node.command(`mg ${key} c`), node.command(`get ${key}`, { isMultiline: true, requestedKeys: [key] })])
      const text = textIn(found)
      return text === undefined ? undefined : { text, token: tokenIn(head) }
    },
    async add(key, text, lifetime) {
      const node = await nodeOf(key)
      return (await node.command(`add ${key} 0 ${lifetime} ${Buffer.byteLength(text)}\r\n${text}`)) === 'STORED'
    },
    async cas(key, text, token, lifetime) {
      const node = await nodeOf(key)
      return (await node.command(`cas ${key} 0 ${lifetime} ${Buffer.byteLength(text)} ${token}\r\n${text}`)) === 'STORED'
    },
  }
}

function textIn(found: unknown): unknown {
  const values: unknown = isObject(found) ? Reflect.get(found, 'values') : undefined
  return Array.isArray(values) ? values[0] : undefined
}

/** A token that no value has, where nothing was there when the token was asked for. */
const NO_TOKEN = '0'

function tokenIn(head: unknown): string {
  return /^HD c(\d+)$/.exec(String(head))?.[1] ?? NO_TOKEN
}

/** Connects a node once, however many commands wait for it. `reconnect` forgets a half-read answer of the last connection, which `connect` would go on reading. */
function connector(): (node: Node) => Promise<void> {
  const connecting = new WeakMap<Node, Promise<void>>()
  return (node) => {
    const pending = connecting.get(node) ?? Promise.resolve(node.reconnect()).finally(() => connecting.delete(node))
    connecting.set(node, pending)
    return pending
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function has(object: object, method: string): boolean {
  return typeof Reflect.get(object, method) === 'function'
}

function severalServers(): SessionError {
  return optionError('This memcached client answers for one key from several servers, so a session that ended on one could come back from another. Turn off redundancy, fail-over, broadcasting and the removal of failed servers.')
}

function optionError(message: string): SessionError {
  return new SessionError('ERR_SESSION_OPTION', message)
}
