/** What a visitor does in a measured request. `large` reads one key of a session of 10 KB. */
export const SCENARIOS = ['anonymous', 'read', 'large', 'write'] as const
export type Scenario = (typeof SCENARIOS)[number]

export const FRAMEWORKS = ['node', 'express', 'fastify', 'koa', 'hono', 'starman'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/**
 * What no session of some kind can do without, and nothing else: a look for a cookie; one SHA-256 of a token and the header `Vary`; one statement of
 * SQLite, or that and a transaction; one or two commands on the same Redis client; one AES-256-GCM over the session that a cookie holds.
 */
export const LIMITS = [
  'limit of a look', 'limit of one hash', 'limit of one statement', 'limit of one transaction', 'limit of one command', 'limit of two commands', 'limit of opening', 'limit of opening and sealing',
] as const
export type Limit = (typeof LIMITS)[number]

/** `bare` answers the same without any session. */
export const VARIANTS = ['bare', 'memory', 'sqlite', 'file', 'cookie', 'redis', 'near', 'postgres', ...LIMITS] as const
export type Variant = (typeof VARIANTS)[number]

/** A program of the benchmark. */
export interface Program {
  /** Below bench, and its words. */
  readonly program: readonly [file: string, ...words: string[]]
  /** How many requests are under way at once. Defaults to 16. */
  readonly connections?: number
}

/** One server that is compared with the bare one of its framework. */
export interface Subject extends Program {
  readonly framework: Framework
  /** What the table calls it. */
  readonly name: string
  readonly base: Program
  readonly needs?: 'redis' | 'postgres' | 'starman'
  readonly scenarios: readonly Scenario[]
}

function bare(framework: Framework): Program {
  return { program: ['speed/server.ts', framework, 'bare'] }
}

export function sojourn(framework: Framework, variant: Variant): Subject {
  return {
    framework, name: `Sojourn, ${variant === 'near' ? 'redis with near cache' : variant}`, base: bare(framework), program: ['speed/server.ts', framework, variant], ...needing(variant),
    scenarios: variant === 'memory' || variant === 'redis' ? SCENARIOS : ['anonymous', 'read', 'write'],
  }
}

function peer(framework: Framework, name: string, store: string): Subject {
  return { framework, name: `${name}, ${store}`, base: bare(framework), program: ['peers/speed.js', name, store], ...needing(store), scenarios: ['anonymous', 'read', 'write'] }
}

/** A worker of Starman serves one connection at a time, and what it has in memory no other sees. */
function plack(store: string, workers: number): Subject {
  const starman = (kept: string): Program => ({ program: ['peers/plack.js', String(workers), kept], connections: workers })
  return { framework: 'starman', name: `Plack::Middleware::Session, ${store}`, base: starman('bare'), ...starman(store), needs: 'starman', scenarios: ['anonymous', 'read', 'write'] }
}

function limit(framework: Framework, name: Limit, scenario: Scenario): Subject {
  return { framework, name, base: bare(framework), program: ['speed/server.ts', framework, name], ...needing(name.includes('command') ? 'redis' : ''), scenarios: [scenario] }
}

function needing(store: string): Pick<Subject, 'needs'> {
  return store === 'redis' || store === 'near' ? { needs: 'redis' } : store === 'postgres' ? { needs: 'postgres' } : {}
}

/** Those that most depends on come first: a run that is broken off has them. */
export const subjects: readonly Subject[] = [
  sojourn('node', 'memory'),
  limit('node', 'limit of a look', 'anonymous'),
  limit('node', 'limit of one hash', 'read'),
  sojourn('express', 'memory'),
  limit('express', 'limit of a look', 'anonymous'),
  limit('express', 'limit of one hash', 'read'),
  peer('express', 'express-session', 'memory'),
  sojourn('express', 'redis'),
  peer('express', 'express-session', 'redis'),
  limit('express', 'limit of one command', 'read'),
  limit('express', 'limit of two commands', 'write'),
  sojourn('express', 'near'),
  sojourn('express', 'sqlite'),
  limit('express', 'limit of one statement', 'read'),
  limit('express', 'limit of one transaction', 'write'),
  sojourn('node', 'cookie'),
  limit('node', 'limit of opening', 'read'),
  limit('node', 'limit of opening and sealing', 'write'),
  peer('node', 'iron-session', 'cookie'),
  sojourn('fastify', 'memory'),
  limit('fastify', 'limit of a look', 'anonymous'),
  limit('fastify', 'limit of one hash', 'read'),
  peer('fastify', '@fastify/session', 'memory'),
  ...(['file', 'postgres', 'cookie'] as const).map((variant) => sojourn('express', variant)),
  ...['file', 'postgres'].map((store) => peer('express', 'express-session', store)),
  peer('express', 'cookie-session', 'cookie'),
  ...(['sqlite', 'file', 'redis', 'near', 'postgres'] as const).map((variant) => sojourn('node', variant)),
  ...(['redis', 'near', 'sqlite', 'file', 'postgres', 'cookie'] as const).map((variant) => sojourn('fastify', variant)),
  peer('fastify', '@fastify/session', 'redis'),
  ...(['memory', 'redis', 'near', 'sqlite', 'file', 'postgres', 'cookie'] as const).map((variant) => sojourn('koa', variant)),
  ...['redis', 'cookie'].map((store) => peer('koa', 'koa-session', store)),
  ...(['memory', 'redis', 'near', 'sqlite', 'file', 'postgres', 'cookie'] as const).map((variant) => sojourn('hono', variant)),
  ...['memory', 'redis', 'cookie'].map((store) => peer('hono', 'hono-sessions', store)),
  plack('memory', 1),
  plack('file', 16),
]

/** What `--quick` measures. */
export const quickSubjects: readonly Subject[] = [sojourn('node', 'memory'), sojourn('express', 'memory'), sojourn('express', 'sqlite'), peer('express', 'express-session', 'memory'), sojourn('fastify', 'memory')]

export function isOneOf<Choice extends string>(choices: readonly Choice[], value: string | undefined): value is Choice {
  return choices.some((choice) => choice === value)
}
