import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { findBinary, freePort, startServer, temporaryFolder } from './process.ts'
import { giveTo, ownerOf } from './run-as.ts'
import type { ServerNeed } from './suite.ts'

export const needsPgbouncer: ServerNeed = {
  binary: findBinary('pgbouncer'),
  name: 'PgBouncer',
  howToGet: 'apt-get install pgbouncer',
}

/** Starts PgBouncer in transaction mode before a server: each statement may run on another of four connections. */
export async function startPgbouncer(binary: string, server: URL): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const folder = await temporaryFolder('pgbouncer')
  const owner = await ownerOf('/var/lib/postgresql')
  const port = await freePort()
  const settings = {
    listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'scram-sha-256', auth_file: join(folder.path, 'users'),
    pool_mode: 'transaction', default_pool_size: 4, max_client_conn: 200,
  }
  const lines = ['[databases]', `* = host=127.0.0.1 port=${server.port}`, '[pgbouncer]', ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`)]
  await writeFile(join(folder.path, 'users'), `"${server.username}" "${server.password}"\n`)
  await writeFile(join(folder.path, 'settings'), `${lines.join('\n')}\n`)
  await giveTo(owner, folder.path)
  const url = new URL(server)
  url.port = String(port)
  const bouncer = await startServer({ command: binary, args: [join(folder.path, 'settings')], ...owner, isOurs: () => answers(url) })
  return {
    url: url.href,
    async stop() {
      await bouncer.stop()
      await folder.remove()
    },
  }
}

async function answers(url: URL): Promise<boolean> {
  const client = new Client({ connectionString: url.href })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } finally {
    await client.end().catch(() => undefined)
  }
}
