/** What a visitor does in a measured request. */
export const SCENARIOS = ['anonymous', 'read', 'write'] as const
export type Scenario = (typeof SCENARIOS)[number]

export const FRAMEWORKS = ['node', 'express'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** `bare` answers the same without any session; `peer` is express-session, with its own memory store. */
export const VARIANTS = ['bare', 'memory', 'sqlite', 'file', 'cookie', 'peer'] as const
export type Variant = (typeof VARIANTS)[number]

/** Eight keys, about 1 KB: what every session in the benchmark holds. */
export function payload(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`key${n}`, `${n}`.repeat(120)]))
}

export function isOneOf<Choice extends string>(choices: readonly Choice[], value: string | undefined): value is Choice {
  return choices.some((choice) => choice === value)
}
