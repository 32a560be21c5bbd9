// The smoke on Deno.
import { createSessions } from 'sojourn'
import { sqliteStore } from 'sojourn/stores/sqlite'
import { importAll } from './import-all.ts'
import { everywhere, serveFetch } from './serve-fetch.ts'
import type { Data } from './smoke.ts'

declare const Deno: {
  serve(options: { readonly port: number; readonly hostname: string; readonly onListen: (at: { readonly port: number }) => void }, handler: (request: Request) => Promise<Response>): { shutdown(): Promise<void> }
  addSignalListener(signal: 'SIGTERM', listener: () => void): void
  removeSignalListener(signal: 'SIGTERM', listener: () => void): void
}

await importAll()
const sqlite = createSessions<Data>({ store: sqliteStore('sessions.db'), cookie: { name: 'sqlite' } })
const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`) }, serveFetch({ ...everywhere(), sqlite }))
const stop = (): void => {
  Deno.removeSignalListener('SIGTERM', stop)
  void server.shutdown()
}
Deno.addSignalListener('SIGTERM', stop)
