// The smoke on Bun.
import { createSessions } from 'sojourn'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { importAll } from './import-all.ts'
import { everywhere, serveFetch } from './serve-fetch.ts'
import type { Data } from './smoke.ts'

declare const Bun: {
  serve(options: { readonly port: number; readonly hostname: string; fetch(request: Request): Promise<Response> }): { readonly url: URL; stop(now: boolean): Promise<void> }
}

await importAll()
const sqlite = createSessions<Data>({ store: sqliteStore('sessions.db'), cookie: { name: 'sqlite' } })
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: serveFetch({ ...everywhere(), sqlite }) })
console.log(server.url.origin)
process.once('SIGTERM', () => void server.stop(true))
