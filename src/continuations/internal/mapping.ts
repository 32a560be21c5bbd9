import type { ValueSource } from '../../core/continuations.ts'
import { argumentIn } from './fields.ts'

export type ValueMap = Readonly<Record<string, ValueSource>>

/** What the request that returns has to offer. */
export interface Offered {
  readonly values: Readonly<Record<string, unknown>>
  readonly arguments: readonly (readonly [string, unknown])[]
}

/** The values in the form that the saved request has asked for; all of them when it asked for none. */
export function mappedValues(map: ValueMap | undefined, offered: Offered): Record<string, unknown> {
  if (map === undefined) return { ...offered.values }
  return Object.fromEntries(Object.entries(map).map(([name, source]) => [name, valueFrom(source, offered)]))
}

function valueFrom(source: ValueSource, offered: Offered): unknown {
  if ('literal' in source) return source.literal
  if ('argument' in source) return argumentIn(offered.arguments, source.argument)
  const path = typeof source.value === 'string' ? [source.value] : source.value
  return path.reduce<unknown>(part, offered.values)
}

function part(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  const owned: Readonly<Record<string, unknown>> = { ...value }
  return owned[name]
}
