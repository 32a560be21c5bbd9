import { mkdir } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createConnection } from 'mariadb'
import { findBinary, freePort, startServer, temporaryFolder, type ServerProcess, type Surroundings } from './process.ts'
import { giveTo, ownerOf, runToEnd } from './run-as.ts'
import type { ServerNeed } from './suite.ts'

const installer = findBinary('mariadb-install-db')

export const needsMariadb: ServerNeed = {
  binary: installer === undefined ? undefined : findBinary('mariadbd'),
  name: 'MariaDB',
  howToGet: 'apt-get install mariadb-server',
}

/** A MariaDB server of this test run, with one database. */
export interface MariadbServer {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** For mysql2. */
  readonly url: string
  /** Stops all its processes in their tracks, with every connection open, or lets them go on. Linux only. */
  pause(on: boolean): void
  /** Kills the server with SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port and the same data. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts a private server on a free port in a temporary folder. As root it runs as the user `mysql`. */
export async function startMariadb(binary: string, settings: Readonly<Record<string, string>> = {}, { env, parent }: Surroundings = {}): Promise<MariadbServer> {
  const folder = await temporaryFolder('mariadb', parent)
  const owner = await ownerOf('/var/lib/mysql')
  await giveTo(owner, folder.path)
  const data = join(folder.path, 'data')
  const temporary = join(folder.path, 'tmp')
  for (const path of [data, temporary]) {
    await mkdir(path)
    await giveTo(owner, path)
  }
  await runToEnd(installer ?? 'mariadb-install-db', ['--no-defaults', `--datadir=${data}`, `--tmpdir=${temporary}`, '--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve', ...optionsOf(settings)], owner)
  const password = randomBytes(12).toString('hex')
  const socket = join(folder.path, 'socket')
  const port = await freePort()
  const account = { port, user: 'sojourn', password, database: 'sojourn' }
  const all = { port: String(port), 'bind-address': '127.0.0.1', socket, datadir: data, tmpdir: temporary, 'pid-file': join(folder.path, 'pid'), 'max-connections': '200', 'innodb-buffer-pool-size': '64M', ...settings }
  const args = ['--no-defaults', '--skip-name-resolve', ...optionsOf(all)]
  // Only our server knows the account; at its first start the account is made through its socket.
  const start = (isOurs: () => Promise<boolean>): Promise<ServerProcess> => startServer({ command: binary, args, env: { ...process.env, ...env }, ...owner, isOurs })
  let server = await start(() => makeAccount(socket, password))
  return {
    ...account,
    url: `mysql://sojourn:${password}@127.0.0.1:${port}/sojourn`,
    pause: (on) => server.signalAll(on ? 'SIGSTOP' : 'SIGCONT'),
    async kill() {
      server.signal('SIGKILL')
      await server.exited
    },
    async restart() {
      server = await start(() => answers(account))
    },
    async stop() {
      await server.stop()
      await folder.remove()
    },
  }
}

function optionsOf(settings: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
}

async function makeAccount(socketPath: string, password: string): Promise<boolean> {
  const connection = await createConnection({ socketPath, user: 'root', connectTimeout: 1000 })
  try {
    await connection.query('CREATE DATABASE IF NOT EXISTS sojourn')
    await connection.query(`CREATE USER IF NOT EXISTS sojourn@'127.0.0.1' IDENTIFIED BY '${password}'`)
    await connection.query(`GRANT ALL ON *.* TO sojourn@'127.0.0.1'`)
    return true
  } finally {
    await connection.end()
  }
}

async function answers({ port, user, password }: { readonly port: number; readonly user: string; readonly password: string }): Promise<boolean> {
  const connection = await createConnection({ host: '127.0.0.1', port, user, password, connectTimeout: 1000 })
  await connection.end()
  return true
}
