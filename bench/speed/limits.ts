// Servers without sessions that do nothing but what a session of some kind cannot do without.
import { createCipheriv, createDecipheriv, createSecretKey, hash, randomBytes } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Express, Request } from 'express'
import { createClient } from 'redis'
import type { Limit } from './subjects.ts'

const KNOWN = 'hello 33333333333333333333'
const entries: readonly [string, string][] = Array.from({ length: 8 }, (_, n) => [`key${n}`, `${n}`.repeat(120)])

export async function limitOn(name: Limit, url: string, app: Express | undefined): Promise<RequestListener> {
  if (name === 'limit of one command') return commands(1, url, app)
  if (name === 'limit of two commands') return commands(2, url, app)
  if (name === 'limit of one hash') return app === undefined ? hashing : hashingIn(app)
  return opening(name === 'limit of opening and sealing')
}

/** A fixed number of commands on the client that the store would have. */
async function commands(count: number, url: string, app: Express | undefined): Promise<RequestListener> {
  if (app === undefined) throw new Error('The limits of commands are measured on Express.')
  const client = await createClient({ url }).connect()
  await client.hSet('limit', Object.fromEntries(entries))
  return app.use(async (request, response) => {
    for (let n = 0; n < count; n += 1) await client.hGetAll('limit')
    response.send(textFor(request))
  })
}

const secret = 'x'.repeat(43)
const known = hash('sha256', secret, 'base64url')

/** Where a store knows only the hash of a token: the hash, and what the answer varies with. */
function hashing(_request: IncomingMessage, response: ServerResponse): void {
  if (hash('sha256', secret, 'base64url') !== known) response.statusCode = 401
  response.setHeader('Vary', 'Cookie')
  response.setHeader('Content-Type', 'text/plain')
  response.end(KNOWN)
}

/** The same in a middleware, which leaves something on the request. */
function hashingIn(app: Express): RequestListener {
  app.use((request, _response, next) => {
    Reflect.set(request, 'session', { isKnown: hash('sha256', secret, 'base64url') === known })
    next()
  })
  return app.use((request: Request, response) => {
    response.setHeader('Vary', 'Cookie')
    response.send(Reflect.get(request, 'session') === undefined ? 'hello stranger' : KNOWN)
  })
}

/** Where the visitor keeps the session: AES-256-GCM over a session of 1 KB, opened, and sealed anew where something was written. */
function opening(seals: boolean): RequestListener {
  const key = createSecretKey(randomBytes(32))
  const seal = (): string => {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, nonce)
    return Buffer.concat([nonce, cipher.update(JSON.stringify(Object.fromEntries(entries)), 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }
  const sealed = seal()
  const open = (): unknown => {
    const bytes = Buffer.from(sealed, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    decipher.setAuthTag(bytes.subarray(-16))
    const text = decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8')
    return JSON.parse(text)
  }
  return (request, response) => {
    const known = typeof open() === 'object'
    if (seals) response.setHeader('Set-Cookie', `sid=${seal()}; Path=/; HttpOnly`)
    response.setHeader('Content-Type', 'text/plain')
    response.end(known ? textFor(request) : 'hello stranger')
  }
}

function textFor({ url }: { readonly url?: string | undefined }): string {
  return url === '/write' ? 'hello written 33' : KNOWN
}
