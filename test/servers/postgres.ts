import { globSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Client, Pool, type PoolConfig } from 'pg'
import { findBinary, freePort, startServer, temporaryFolder, type ServerProcess, type Surroundings } from './process.ts'
import { giveTo, ownerOf, runToEnd } from './run-as.ts'
import type { ServerNeed } from './suite.ts'

const folders = globSync('/usr/lib/postgresql/*/bin').toSorted().toReversed()

export const needsPostgres: ServerNeed = {
  binary: findBinary('initdb', folders) === undefined ? undefined : findBinary('postgres', folders),
  name: 'PostgreSQL',
  howToGet: 'apt-get install postgresql',
}

/** A PostgreSQL server of this test run, with one database. */
export interface PostgresServer {
  readonly port: number
  /** For pg and postgres.js. */
  readonly url: string
  /** Stops all its processes in their tracks, with every connection open, or lets them go on. Linux only. */
  pause(on: boolean): void
  /** Kills the server with SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port and the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts a private server on a free port in a temporary folder. As root it runs as the user `postgres`, since it refuses root. */
export async function startPostgres(binary: string, settings: Readonly<Record<string, string>> = {}, { env, parent }: Surroundings = {}): Promise<PostgresServer> {
  const folder = await temporaryFolder('postgres', parent)
  const owner = await ownerOf('/var/lib/postgresql')
  await giveTo(owner, folder.path)
  const data = join(folder.path, 'data')
  const password = randomBytes(12).toString('hex')
  await writeFile(join(folder.path, 'password'), password)
  await runToEnd(join(dirname(binary), 'initdb'), ['-D', data, '-U', 'sojourn', '-A', 'scram-sha-256', `--pwfile=${join(folder.path, 'password')}`, '-E', 'UTF8', '--locale=C', '--wal-segsize=1', '--no-sync'], owner)
  const port = await freePort()
  const url = `postgres://sojourn:${password}@127.0.0.1:${port}/postgres`
  const all = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200', ...settings }
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  // Only our server knows the password. SIGINT is its fast shutdown: it ends the connections that are left.
  const start = (): Promise<ServerProcess> => startServer({ command: binary, args, env: { ...process.env, ...env }, ...owner, stopSignal: 'SIGINT', isOurs: () => answers(url) })
  let server = await start()
  return {
    port,
    url,
    pause: (on) => server.signalAll(on ? 'SIGSTOP' : 'SIGCONT'),
    async kill() {
      server.signal('SIGKILL')
      await server.exited
    },
    async restart() {
      server = await onceTheOldOneIsGone(start)
    },
    async stop() {
      await server.stop()
      await folder.remove()
    },
  }
}

/** A pool whose connections may break, as when the server stops just behind them, without ending the process. */
export function poolOn(config: PoolConfig): Pool {
  const pool = new Pool(config)
  const ignore = (): void => undefined
  pool.on('error', ignore)
  pool.on('connect', (client) => void client.on('error', ignore))
  return pool
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } finally {
    await client.end().catch(() => undefined)
  }
}

// The killed server's children notice within moments that it is gone; a new server does not start before they ended.
async function onceTheOldOneIsGone(start: () => Promise<ServerProcess>): Promise<ServerProcess> {
  const deadline = performance.now() + 20_000
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (performance.now() > deadline || !String(error).includes('still in use')) throw error
    }
  }
}
