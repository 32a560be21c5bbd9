import type { Settings } from '../../core/options.ts'
import type { SecurityOptions } from '../security.ts'

/** What a requirement is judged by: the sessions' settings, and those of `security()`. */
export interface Facts {
  readonly settings: Settings
  readonly options: SecurityOptions
}

const known = new WeakMap<Settings, SecurityOptions>()

/** Keeps the options of `security()` for an audit. */
export function remember(settings: Settings, options: SecurityOptions): void {
  known.set(settings, options)
}

export function factsOf(settings: Settings): Facts {
  return { settings, options: known.get(settings) ?? {} }
}
