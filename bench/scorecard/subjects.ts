import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { races, type RaceFault, type Score } from 'sojourn/testing'
import { temporaryFolder } from '../../test/servers/process.ts'
import { ADAPTERS, ATOMIC_STORES, type StoreName } from './names.ts'
import { startApp } from './processes.ts'

/** Where the servers of a run are; undefined: not on this machine. */
export interface Servers {
  readonly redis: string | undefined
  readonly postgres: string | undefined
  readonly mysql: string | undefined
  readonly memcached: string | undefined
}

/** What gets a card. */
export interface Subject {
  /** Which table it belongs to. */
  readonly group: 'atomic' | 'best-effort' | 'server' | 'client'
  readonly name: string
  readonly store: string
  readonly needs?: keyof Servers
  readonly processes?: number
  /** The program and its words; the place of the store comes last. */
  readonly program: readonly [file: string, ...words: string[]]
  readonly holdsSaves: boolean
  /** The faults that it must show, exactly. Undefined: whatever it shows. */
  readonly expected?: readonly RaceFault[]
}

const benchFolder = dirname(import.meta.dirname)

/** Which server a store of Sojourn works with. */
const NEEDS: Readonly<Partial<Record<StoreName, keyof Servers>>> = { postgres: 'postgres', mysql: 'mysql', memcached: 'memcached', redis: 'redis', cache: 'redis', express: 'redis', simple: 'redis' }

/** What docs/stores/cache.md says that two processes can lose. */
const BETWEEN_PROCESSES: readonly RaceFault[] = ['lost updates', 'undone logouts']

/** What no store can help that leaves the session with its visitor. */
export const WITH_THE_VISITOR: readonly RaceFault[] = ['lost updates', 'undone logouts', 'undone logins', 'tokens alive after logout', 'cookies after logout']

export const subjects: readonly Subject[] = [
  ...ADAPTERS.flatMap((adapter) => ATOMIC_STORES.map((store) => sojourn(adapter, store, { group: 'atomic', expected: [] }))),
  sojourn('node', 'cache', { store: 'cacheStore, one process', group: 'best-effort', expected: [] }),
  sojourn('node', 'cache', { store: 'cacheStore, two processes', group: 'best-effort', processes: 2, expected: BETWEEN_PROCESSES }),
  sojourn('node', 'simple', { store: 'simpleStore, two processes', group: 'best-effort', processes: 2, expected: BETWEEN_PROCESSES }),
  sojourn('node', 'express', { store: 'expressStore, two processes', group: 'best-effort', processes: 2, expected: BETWEEN_PROCESSES }),
  peer('express-session', 'memory', 'server'),
  peer('express-session', 'redis', 'server'),
  peer('@fastify/session', 'memory', 'server'),
  peer('@fastify/session', 'redis', 'server'),
  peer('koa-session', 'redis', 'server'),
  peer('hono-sessions', 'memory', 'server'),
  peer('hono-sessions', 'redis', 'server'),
  peer('cookie-session', 'cookie', 'client'),
  peer('iron-session', 'cookie', 'client'),
  peer('koa-session', 'cookie', 'client'),
  peer('hono-sessions', 'cookie', 'client'),
  sojourn('node', 'cookie', { group: 'client', expected: WITH_THE_VISITOR }),
]

function sojourn(adapter: string, store: StoreName, options: Pick<Subject, 'group'> & Partial<Subject>): Subject {
  const needs = NEEDS[store]
  return { name: `Sojourn, ${adapter}`, store, ...(needs !== undefined && { needs }), program: [join(benchFolder, 'scorecard', 'sojourn.ts'), adapter, store], holdsSaves: store !== 'cookie', ...options }
}

function peer(name: string, store: 'memory' | 'redis' | 'cookie', group: 'server' | 'client'): Subject {
  const file = join(benchFolder, 'peers', `${name.replace('@fastify/', 'fastify-')}.js`)
  return { name: `${name} ${versionOf(name)}`, store, group, ...(store === 'redis' && { needs: 'redis' }), program: [file, store], holdsSaves: group === 'server' }
}

/** As the peers' lockfile has it. */
function versionOf(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(benchFolder, 'peers', 'package.json'), 'utf8'))
  const dependencies: unknown = typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest ? manifest.dependencies : {}
  return typeof dependencies === 'object' && dependencies !== null ? String(Reflect.get(dependencies, name)) : ''
}

/** Runs one application and fills in its card. */
export async function scoresOf({ program: [file, ...words], store, needs, processes = 1, holdsSaves }: Subject, servers: Servers): Promise<readonly Score[]> {
  const folder = await temporaryFolder('scorecard')
  try {
    const place = needs === undefined ? join(folder.path, store === 'sqlite' ? 'sessions.db' : 'sessions') : servers[needs] ?? ''
    const app = await startApp(file, [...words, place], { processes })
    try {
      return (await races(app.origins, { holdsSaves, patience: 1 })).scores
    } finally {
      await app.stop()
    }
  } finally {
    await folder.remove()
  }
}

export function faultsOf(scores: readonly Score[]): readonly RaceFault[] {
  return scores.filter(({ seen }) => seen > 0).map(({ fault }) => fault)
}
