import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findBinary, freePort, startServer, temporaryFolder, type ServerProcess } from './process.ts'
import type { ServerNeed } from './suite.ts'

export const needsMemcached: ServerNeed = {
  binary: findBinary('memcached'),
  name: 'memcached',
  howToGet: 'apt-get install memcached',
}

/** A memcached of this test run. */
export interface MemcachedServer {
  /** `127.0.0.1:port` */
  readonly address: string
  /** One command on a connection of its own; answers what came until the server fell silent. Line breaks are `\r\n`. */
  ask(command: string): Promise<string>
  /** Stops it in its tracks: connections stay open and nothing is answered. */
  freeze(): void
  thaw(): void
  /** Kills it with SIGKILL. Resolves when it has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port, with nothing in it. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts a private memcached on a free port. */
export async function startMemcached(binary: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<MemcachedServer> {
  const folder = await temporaryFolder('memcached')
  const pidFile = join(folder.path, 'pid')
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const all = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-P', pidFile, ...user, ...args]
  const isOurs = async (): Promise<boolean> => (await ask(port, 'stats')).includes(`STAT pid ${(await readFile(pidFile, 'utf8')).trim()}\r`)
  const start = (): Promise<ServerProcess> => startServer({ command: binary, args: all, env: { ...process.env, ...env }, isOurs })
  let server = await start()
  return {
    address: `127.0.0.1:${port}`,
    ask: (command) => ask(port, command),
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async kill() {
      server.signal('SIGKILL')
      await server.exited
    },
    async restart() {
      server = await start()
    },
    async stop() {
      await server.stop()
      await folder.remove()
    },
  }
}

function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('close', () => resolve(reply))
    socket.on('data', (chunk) => (reply += String(chunk)))
    // The server answers quit by closing, behind the last byte of the reply.
    socket.write(`${command}\r\nquit\r\n`)
  })
}
