import { randomBytes } from 'node:crypto'
import type { RedisClient, RedisSubscriber } from '../../src/stores/redis.ts'

/** Where to connect: the ports of a server or of a Cluster's primaries, on loopback. */
export interface RedisPlace {
  readonly ports: readonly number[]
  readonly password: string
}

/** A connected client, and how to be rid of it. */
export interface ConnectedClient {
  readonly client: RedisClient & RedisSubscriber
  close(): Promise<void>
}

/** The clients the store is tested with, as its docs page says to make them. */
export type ClientKind = 'node-redis' | 'node-redis 5' | 'ioredis' | 'ioredis 5'
export type Shape = 'single' | 'cluster'

/** What ioredis is told so that it replays nothing. */
export const ioRedisOptions = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 } as const

type Connect = (place: RedisPlace) => Promise<ConnectedClient>

// Imported when needed: a process of a run uses one of the four.
const connections: Readonly<Record<ClientKind, Readonly<Record<Shape, Connect>>>> = {
  'node-redis': {
    single: async (place) => nodeRedis((await import('redis')).createClient({ url: urlOf(place), disableOfflineQueue: true })),
    cluster: async (place) => nodeRedis((await import('redis')).createCluster({ rootNodes: urlsOf(place), defaults: { password: place.password, disableOfflineQueue: true } })),
  },
  'node-redis 5': {
    single: async (place) => nodeRedis((await import('redis5')).createClient({ url: urlOf(place), disableOfflineQueue: true })),
    cluster: async (place) => nodeRedis((await import('redis5')).createCluster({ rootNodes: urlsOf(place), defaults: { password: place.password, disableOfflineQueue: true } })),
  },
  ioredis: {
    single: async (place) => ioRedis(new (await import('ioredis')).Redis(urlOf(place), ioRedisOptions)),
    cluster: async (place) => ioRedis(new (await import('ioredis')).Cluster(nodesOf(place), { redisOptions: { ...ioRedisOptions, password: place.password } })),
  },
  'ioredis 5': {
    single: async (place) => ioRedis(new (await import('ioredis5')).Redis(urlOf(place), ioRedisOptions)),
    cluster: async (place) => ioRedis(new (await import('ioredis5')).Cluster(nodesOf(place), { redisOptions: { ...ioRedisOptions, password: place.password } })),
  },
}

export function connectRedis(kind: ClientKind, shape: Shape, place: RedisPlace): Promise<ConnectedClient> {
  return connections[kind][shape](place)
}

/** A prefix that no other case uses. */
export function freshPrefix(): string {
  return `test-${randomBytes(9).toString('base64url')}:`
}

/** The URL of the first port. */
export function urlOf({ ports, password }: RedisPlace): string {
  return `redis://:${password}@127.0.0.1:${ports[0]}`
}

function urlsOf(place: RedisPlace): { url: string }[] {
  return place.ports.map((port) => ({ url: urlOf({ ...place, ports: [port] }) }))
}

function nodesOf({ ports }: RedisPlace): { host: string; port: number }[] {
  return ports.map((port) => ({ host: '127.0.0.1', port }))
}

type NodeRedis = RedisClient & RedisSubscriber & { connect(): Promise<unknown>; on(event: 'error', listener: () => void): unknown; close(): Promise<unknown>; destroy(): unknown }

/** Connects a client of node-redis that the caller made. */
export async function nodeRedis(client: NodeRedis): Promise<ConnectedClient> {
  // Lost connections are what some cases are about; a client without a listener would end the process.
  client.on('error', () => undefined)
  await client.connect()
  return { client, close: async () => void (await client.destroy()) }
}

type IoRedis = RedisClient & RedisSubscriber & { readonly status: string; once(event: 'ready', listener: () => void): unknown; on(event: 'error', listener: () => void): unknown; disconnect(): void }

/** Waits for a client of ioredis that the caller made. */
export async function ioRedis(client: IoRedis): Promise<ConnectedClient> {
  client.on('error', () => undefined)
  await new Promise<void>((resolve) => client.once('ready', resolve))
  return { client, close: async () => client.disconnect() }
}
