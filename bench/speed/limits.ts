// What no session of some kind can do without, and nothing else: how fast a server can be that does only this.
import { createCipheriv, createDecipheriv, createSecretKey, hash, randomBytes } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import type { Express } from 'express'
import type { FastifyInstance } from 'fastify'
import { createClient } from 'redis'
import type { Limit } from './subjects.ts'

/** The work for one request, with the response that its headers go on. Tells whether it is of somebody known. */
type Work = (request: IncomingMessage, response: { setHeader(name: string, value: string): unknown }) => boolean | Promise<boolean>

const entries: readonly [string, string][] = Array.from({ length: 8 }, (_, n) => [`key${n}`, `${n}`.repeat(120)])

/** What the limit does; `folder` is for its files. */
export async function workOf(limit: Limit, url: string, folder: () => string): Promise<Work> {
  switch (limit) {
    case 'limit of a look': return (request) => request.headers.cookie !== undefined
    case 'limit of one hash': return hashing()
    case 'limit of one statement': return reading(open(folder()))
    case 'limit of one transaction': return writing(open(folder()))
    case 'limit of one command': return commands(1, url)
    case 'limit of two commands': return commands(2, url)
    case 'limit of opening': return opening(false)
    case 'limit of opening and sealing': return opening(true)
  }
}

/** Where a store knows only the hash of a token: the hash, and what the answer varies with. */
function hashing(): Work {
  const secret = 'x'.repeat(43)
  const known = hash('sha256', secret, 'base64url')
  return (_request, response) => {
    response.setHeader('Vary', 'Cookie')
    return hash('sha256', secret, 'base64url') === known
  }
}

/** A fixed number of commands on the client that the store would have. */
async function commands(count: number, url: string): Promise<Work> {
  const client = await createClient({ url }).connect()
  await client.hSet('limit', Object.fromEntries(entries))
  return async () => {
    for (let n = 0; n < count; n += 1) await client.hGetAll('limit')
    return true
  }
}

/** A file in the store's mode, with one row of 1 KB. */
function open(folder: string): DatabaseSync {
  const database = new DatabaseSync(`${folder}/limit.db`)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE limits (id TEXT PRIMARY KEY, record TEXT)')
  database.prepare('INSERT INTO limits VALUES (?, ?)').run('one', JSON.stringify(Object.fromEntries(entries)))
  return database
}

function reading(database: DatabaseSync): Work {
  const select = database.prepare('SELECT record FROM limits WHERE id = ?')
  return () => select.get('one') !== undefined
}

/** A read, and what a commit takes: the record is read again where nobody else can write it. The text is another each time, since SQLite writes nothing for one that is there already. */
function writing(database: DatabaseSync): Work {
  const select = database.prepare('SELECT record FROM limits WHERE id = ?')
  const update = database.prepare('UPDATE limits SET record = ? WHERE id = ?')
  const texts = ['written  ', 'written 2'].map((changed) => JSON.stringify({ ...Object.fromEntries(entries), changed }))
  let turn = 0
  return () => {
    select.get('one')
    turn += 1
    database.exec('BEGIN IMMEDIATE')
    select.get('one')
    update.run(texts[turn % 2] ?? '', 'one')
    database.exec('COMMIT')
    return true
  }
}

/** Where the visitor keeps the session: AES-256-GCM over a session of 1 KB, opened, and sealed anew where something was written. */
function opening(seals: boolean): Work {
  const key = createSecretKey(randomBytes(32))
  const seal = (): string => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    return Buffer.concat([nonce, cipher.update(JSON.stringify(Object.fromEntries(entries)), 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }
  const sealed = seal()
  return (_request, response) => {
    const bytes = Buffer.from(sealed, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    decipher.setAuthTag(bytes.subarray(-16))
    const session: unknown = JSON.parse(decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8'))
    if (seals) response.setHeader('Set-Cookie', `sid=${seal()}; Path=/; HttpOnly`)
    return typeof session === 'object'
  }
}

/** The work in a server of node:http. */
export function limitOnNode(work: Work): RequestListener {
  const respond = (request: IncomingMessage, response: ServerResponse, isKnown: boolean): void => {
    response.setHeader('Content-Type', 'text/plain')
    response.end(textFor(request, isKnown))
  }
  return (request, response) => {
    const isKnown = work(request, response)
    if (typeof isKnown === 'boolean') respond(request, response, isKnown)
    else void isKnown.then((late) => respond(request, response, late))
  }
}

/** The work in a middleware, which leaves something on the request. */
export function limitOnExpress(work: Work, app: Express): RequestListener {
  app.use((request, response, next) => {
    leave(work(request, response), request, next)
  })
  return app.use((request, response) => { response.send(textFor(request, isKnownIn(request))) })
}

/** The work in a hook, which leaves something on the request. */
export function limitOnFastify(work: Work, app: FastifyInstance): FastifyInstance {
  app.decorateRequest('limit')
  app.addHook('onRequest', (request, reply, next) => {
    leave(work(request.raw, { setHeader: (name, value) => reply.header(name, value) }), request, next)
  })
  return app.get('/*', (request, reply) => { reply.send(textFor(request, isKnownIn(request))) })
}

function leave(isKnown: boolean | Promise<boolean>, request: object, next: (error?: Error) => void): void {
  const goOn = (known: boolean): void => { Reflect.set(request, 'limit', { isKnown: known }); next() }
  if (typeof isKnown === 'boolean') goOn(isKnown)
  else isKnown.then(goOn, next)
}

function isKnownIn(request: object): boolean {
  const left: unknown = Reflect.get(request, 'limit')
  return typeof left === 'object' && left !== null && Reflect.get(left, 'isKnown') === true
}

function textFor({ url }: { readonly url?: string | undefined }, isKnown: boolean): string {
  if (!isKnown) return 'hello stranger'
  return url === '/write' ? 'hello written 33' : 'hello 33333333333333333333'
}
