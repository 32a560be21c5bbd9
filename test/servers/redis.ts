import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findBinary, freePort, startServer, temporaryFolder, type ServerProcess } from './process.ts'
import type { ServerNeed } from './suite.ts'

// Another server, such as valkey-server, can be tested by its name or path.
const name = process.env['SOJOURN_REDIS_SERVER'] ?? 'redis-server'

export const needsRedis: ServerNeed = {
  binary: name.includes('/') ? name : findBinary(name),
  name,
  howToGet: 'apt-get install redis-server, or set SOJOURN_REDIS_SERVER to the path of a server',
}

/** A Redis server of this test run's own. */
export interface RedisServer {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Random: whoever accepts it is the server that was started here. */
  readonly password: string
  /** Sends one command, its words as they are, and resolves to the raw reply. */
  ask(...words: string[]): Promise<string>
  /** Sends a signal to the server's process. */
  signal(name: NodeJS.Signals): void
  /** Kills it with SIGKILL and resolves when it has ended. Its data stay. */
  kill(): Promise<void>
  /** Starts it again, on the same port and data, after `kill`. */
  restart(): Promise<void>
  /** Stops it and removes its data. */
  stop(): Promise<void>
}

/** Starts a server on a free port with its data in a temporary folder. `settings` are words of redis.conf: `['appendonly', 'yes']`. */
export async function startRedis(binary: string, settings: readonly (readonly [string, string])[] = [], password = randomBytes(24).toString('hex'), env: NodeJS.ProcessEnv = {}): Promise<RedisServer> {
  const folder = await temporaryFolder('redis')
  const port = await freePort()
  const own = [
    ['port', String(port)], ['bind', '127.0.0.1'], ['requirepass', password], ['masterauth', password], ['dir', folder.path],
    ['save', ''], ['daemonize', 'no'], ['loglevel', 'warning'], ['repl-diskless-sync', 'no'], ['repl-ping-replica-period', '1'],
  ] as const
  const args = [...own, ...settings].flatMap(([name, value]) => [`--${name}`, value])
  const ask = (...words: string[]): Promise<string> => askRedis({ port, password }, words)
  const start = (): Promise<ServerProcess> => startServer({ command: binary, args, cwd: folder.path, env: { ...process.env, ...env }, isOurs: async () => (await ask('PING')) === '+PONG\r\n' })
  let server = await start()
  return {
    host: '127.0.0.1',
    port,
    password,
    ask,
    signal: (name) => server.signal(name),
    kill: async () => {
      server.signal('SIGKILL')
      await server.exited
    },
    restart: async () => void (server = await start()),
    stop: async () => {
      await server.stop()
      await folder.remove()
    },
  }
}

/** Starts a Sentinel that watches a primary under the name `main` and decides alone; its password is the primary's. */
export async function startSentinel(binary: string, { port: primaryPort, password }: RedisServer): Promise<RedisServer> {
  const folder = await temporaryFolder('sentinel')
  const port = await freePort()
  const file = join(folder.path, 'sentinel.conf')
  const lines = [
    `port ${port}`, 'bind 127.0.0.1', `dir ${folder.path}`, `requirepass ${password}`, `sentinel monitor main 127.0.0.1 ${primaryPort} 1`, `sentinel auth-pass main ${password}`,
    'sentinel down-after-milliseconds main 500', 'sentinel failover-timeout main 3000',
  ]
  await writeFile(file, lines.join('\n'))
  const ask = (...words: string[]): Promise<string> => askRedis({ port, password }, words)
  const server = await startServer({ command: binary, args: [file, '--sentinel'], cwd: folder.path, isOurs: async () => (await ask('SENTINEL', 'get-master-addr-by-name', 'main')).includes(String(primaryPort)) })
  const kill = async (): Promise<void> => {
    server.signal('SIGKILL')
    await server.exited
  }
  return {
    host: '127.0.0.1', port, password, ask, signal: server.signal, kill, restart: () => Promise.reject(new Error('a Sentinel is not started again')),
    stop: async () => {
      await server.stop()
      await folder.remove()
    },
  }
}

/** A Redis Cluster of this test run's own. */
export interface RedisCluster {
  readonly primaries: readonly RedisServer[]
  readonly replicas: readonly RedisServer[]
  readonly password: string
  stop(): Promise<void>
}

/** Starts a Cluster on loopback: `primaries` servers with a third of the slots each (3 by default), and one replica for each where asked. */
export async function startRedisCluster(binary: string, { primaries: count = 3, replicas: withReplicas = false } = {}): Promise<RedisCluster> {
  const password = randomBytes(24).toString('hex')
  const servers = await Promise.all(Array.from({ length: withReplicas ? count * 2 : count }, () => startClusterNode(binary, password)))
  const primaries = servers.slice(0, count)
  const replicas = servers.slice(count)
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())))
  try {
    await Promise.all(primaries.map((server, n) => server.ask('CLUSTER', 'ADDSLOTSRANGE', String(Math.ceil((n * 16_384) / count)), String(Math.ceil(((n + 1) * 16_384) / count) - 1))))
    await Promise.all(primaries.map((server, n) => server.ask('CLUSTER', 'SET-CONFIG-EPOCH', String(n + 1))))
    const [first, ...others] = servers
    for (const other of others) await first?.ask('CLUSTER', 'MEET', other.host, String(other.port), String(other.busPort))
    await eventually(servers, async (server) => (await clusterInfo(server)).includes(`cluster_known_nodes:${servers.length}\r`))
    for (const [n, replica] of replicas.entries()) {
      const id = /[0-9a-f]{40}/.exec((await primaries[n]?.ask('CLUSTER', 'MYID')) ?? '')?.[0] ?? ''
      await eventually([replica], async () => (await replica.ask('CLUSTER', 'REPLICATE', id)).startsWith('+OK'))
    }
    await eventually(servers, async (server) => (await clusterInfo(server)).includes('cluster_state:ok'))
    if (withReplicas) await eventually(primaries, isReplicated)
  } catch (error) {
    await stop()
    throw error
  }
  return { primaries, replicas, password, stop }
}

async function startClusterNode(binary: string, password: string): Promise<RedisServer & { readonly busPort: number }> {
  const busPort = await freePort()
  const server = await startRedis(binary, [['cluster-enabled', 'yes'], ['cluster-port', String(busPort)], ['cluster-node-timeout', '2000']], password)
  return { ...server, busPort }
}

/** A replica of this server has begun to confirm what it gets. */
export async function isReplicated(server: RedisServer): Promise<boolean> {
  return /^slave0:.*,state=online,offset=[1-9]/m.test(await server.ask('INFO', 'replication'))
}

function clusterInfo(server: RedisServer): Promise<string> {
  return server.ask('CLUSTER', 'INFO')
}

async function eventually(servers: readonly RedisServer[], holds: (server: RedisServer) => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  for (const server of servers) {
    while (!(await holds(server))) {
      if (performance.now() > deadline) throw new Error('the Redis servers did not come together in time')
      await delay(50)
    }
  }
}

/** One command on a connection of its own. Rejects when nobody listens; resolves to the raw reply, also to an error. */
function askRedis({ port, password }: { readonly port: number; readonly password: string }, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer')))
    socket.once('error', reject)
    socket.once('close', () => resolve(reply))
    socket.on('data', (chunk) => (reply += String(chunk)))
    // QUIT ends the connection behind the last byte of the reply.
    socket.end([['AUTH', password], words, ['QUIT']].map(encode).join(''))
  }).then((all) => String(all).replace(/^\+OK\r\n/, '').replace(/\+OK\r\n$/, ''))
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** Calls `body` and resolves to the commands that clients have sent meanwhile about keys of `prefix`; what scripts do inside is left out. */
export async function commandsDuring(server: RedisServer, prefix: string, body: () => Promise<unknown>): Promise<readonly string[]> {
  const marker = randomBytes(9).toString('hex')
  const monitor = await openMonitor(server, marker)
  try {
    await body()
    await server.ask('ECHO', `${marker}-end`)
    const text = await monitor.until(`${marker}-end`)
    const lines = text.split('\r\n').filter((line) => line.includes(prefix) && !/^\+[\d.]+ \[\d+ lua\]/.test(line))
    return lines.map((line) => /\] "([^"]*)"/.exec(line)?.[1] ?? line)
  } finally {
    monitor.close()
  }
}

interface Monitor {
  until(marker: string): Promise<string>
  close(): void
}

async function openMonitor(server: RedisServer, marker: string): Promise<Monitor> {
  const socket = connect(server.port, server.host)
  let text = ''
  let arrived = (): void => undefined
  socket.on('data', (chunk) => {
    text += String(chunk)
    arrived()
  })
  const until = async (wanted: string): Promise<string> => {
    while (!text.includes(wanted)) await new Promise<void>((resolve) => (arrived = resolve))
    return text
  }
  socket.write([['AUTH', server.password], ['MONITOR']].map(encode).join(''))
  await until('+OK\r\n+OK\r\n')
  await server.ask('ECHO', marker)
  await until(marker)
  return { until, close: () => socket.destroy() }
}
