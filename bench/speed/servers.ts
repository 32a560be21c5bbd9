import { spawnSync } from 'node:child_process'
import { needsPostgres, startPostgres } from '../../test/servers/postgres.ts'
import { findBinary } from '../../test/servers/process.ts'
import { needsRedis, startRedis } from '../../test/servers/redis.ts'
import type { ServerNeed } from '../../test/servers/suite.ts'
import type { Subject } from './subjects.ts'

type Need = NonNullable<Subject['needs']>

const needs: Readonly<Record<Need, ServerNeed>> = {
  redis: needsRedis,
  postgres: needsPostgres,
  starman: { binary: hasPlack() ? findBinary('starman') : undefined, name: 'Starman with Plack::Middleware::Session', howToGet: 'apt-get install starman libplack-middleware-session-perl' },
}

function hasPlack(): boolean {
  return spawnSync('perl', ['-MStarman', '-MPlack::Middleware::Session', '-e', '1']).status === 0
}

/** What this machine lacks to measure a subject, and how to get it; undefined when it has all. */
export function lackOf(subject: Subject): string | undefined {
  const need = subject.needs && needs[subject.needs]
  return need === undefined || need.binary !== undefined ? undefined : `${need.name} is not installed; get it with: ${need.howToGet}`
}

/** The servers of one run. */
export interface Servers {
  /** Where a subject finds its own; empty when it needs none. */
  urlFor(subject: Subject): string
  stop(): Promise<void>
}

/** Starts what these subjects need. */
export async function startServers(chosen: readonly Subject[]): Promise<Servers> {
  const binary = (name: Need): string | undefined => (chosen.some((subject) => subject.needs === name) ? needs[name].binary : undefined)
  const [redisServer, postgresServer] = [binary('redis'), binary('postgres')]
  const redis = redisServer && (await startRedis(redisServer))
  const postgres = postgresServer && (await startPostgres(postgresServer))
  const urls: Readonly<Record<Need, string>> = { redis: redis ? `redis://:${redis.password}@127.0.0.1:${redis.port}` : '', postgres: postgres ? postgres.url : '', starman: '' }
  return { urlFor: (subject) => (subject.needs === undefined ? '' : urls[subject.needs]), stop: async () => void (await Promise.all([redis, postgres].map((server) => (server ? server.stop() : undefined)))) }
}
