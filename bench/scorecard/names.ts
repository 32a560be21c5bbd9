export const ADAPTERS = ['node', 'express', 'express4', 'fastify', 'koa', 'h3', 'hono', 'fetch'] as const
export type AdapterName = (typeof ADAPTERS)[number]

/** Stores with an atomic step: nothing may go wrong with any of them. */
export const ATOMIC_STORES = ['memory', 'sqlite', 'file', 'redis', 'postgres', 'mysql', 'memcached'] as const

export const STORES = [...ATOMIC_STORES, 'cache', 'express', 'simple', 'cookie'] as const
export type StoreName = (typeof STORES)[number]
