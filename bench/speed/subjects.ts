/** What a visitor does in a measured request. `large` reads one key of a session of 10 KB. */
export const SCENARIOS = ['anonymous', 'read', 'large', 'write'] as const
export type Scenario = (typeof SCENARIOS)[number]

export const FRAMEWORKS = ['node', 'express', 'fastify', 'hono'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** `bare` answers the same without any session; the two limits do nothing but one or two commands on the same Redis client. */
export const VARIANTS = ['bare', 'memory', 'sqlite', 'file', 'cookie', 'redis', 'near', 'postgres', 'limit of one command', 'limit of two commands'] as const
export type Variant = (typeof VARIANTS)[number]

/** One server that is compared with the bare one of its framework. */
export interface Subject {
  readonly framework: Framework
  /** What the table calls it. */
  readonly name: string
  /** The program and its words, below bench. */
  readonly program: readonly [file: string, ...words: string[]]
  readonly needs?: 'redis' | 'postgres'
  readonly scenarios: readonly Scenario[]
}

export function sojourn(framework: Framework, variant: Variant): Subject {
  return { framework, name: `Sojourn, ${variant === 'near' ? 'redis with near cache' : variant}`, program: ['speed/server.ts', framework, variant], ...needing(variant), scenarios: variant === 'memory' || variant === 'redis' ? SCENARIOS : ['anonymous', 'read', 'write'] }
}

export function bare(framework: Framework): Subject {
  return { framework, name: 'bare', program: ['speed/server.ts', framework, 'bare'], scenarios: SCENARIOS }
}

function peer(framework: Framework, name: string, store: string): Subject {
  return { framework, name: `${name}, ${store}`, program: ['peers/speed.js', name, store], ...needing(store), scenarios: ['anonymous', 'read', 'write'] }
}

function limit(variant: Variant): Subject {
  return { framework: 'express', name: variant, program: ['speed/server.ts', 'express', variant], needs: 'redis', scenarios: ['read'] }
}

function needing(store: string): Pick<Subject, 'needs'> {
  return store === 'redis' || store === 'near' ? { needs: 'redis' } : store === 'postgres' ? { needs: 'postgres' } : {}
}

/** Those that most depends on come first: a run that is broken off has them. */
export const subjects: readonly Subject[] = [
  sojourn('node', 'memory'),
  sojourn('express', 'memory'),
  peer('express', 'express-session', 'memory'),
  sojourn('express', 'redis'),
  peer('express', 'express-session', 'redis'),
  limit('limit of one command'),
  limit('limit of two commands'),
  sojourn('express', 'near'),
  sojourn('express', 'sqlite'),
  sojourn('node', 'cookie'),
  peer('node', 'iron-session', 'cookie'),
  sojourn('fastify', 'memory'),
  peer('fastify', '@fastify/session', 'memory'),
  sojourn('express', 'postgres'),
  sojourn('hono', 'memory'),
  sojourn('fastify', 'redis'),
  peer('fastify', '@fastify/session', 'redis'),
  peer('hono', 'hono-sessions', 'memory'),
  sojourn('express', 'cookie'),
  peer('express', 'cookie-session', 'cookie'),
  sojourn('express', 'file'),
  ...['file', 'postgres'].map((store) => peer('express', 'express-session', store)),
  ...(['sqlite', 'file', 'redis', 'near', 'postgres'] as const).map((variant) => sojourn('node', variant)),
  ...(['sqlite', 'near'] as const).map((variant) => sojourn('fastify', variant)),
]

/** What `--quick` measures. */
export const quickSubjects: readonly Subject[] = [sojourn('node', 'memory'), sojourn('express', 'memory'), sojourn('express', 'sqlite'), peer('express', 'express-session', 'memory'), sojourn('fastify', 'memory')]

export function isOneOf<Choice extends string>(choices: readonly Choice[], value: string | undefined): value is Choice {
  return choices.some((choice) => choice === value)
}
