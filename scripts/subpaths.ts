import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }

const root = dirname(import.meta.dirname)

/** One path under which the package can be imported. */
export interface Subpath {
  /** As it is imported: `sojourn/stores/sqlite`. */
  readonly specifier: string
  /** As package.json has it: `./stores/sqlite`. */
  readonly subpath: string
  /** The source file, from the root of the repository: `src/stores/sqlite.ts`. */
  readonly source: string
}

/** Every path under which the package can be imported: what package.json exports, its patterns filled in from the files that are there. */
export function publicSubpaths(): readonly Subpath[] {
  const entries: readonly (readonly [string, unknown])[] = Object.entries(manifest.exports)
  return entries.flatMap(([pattern, target]) => {
    const source = sourceOf(target)
    return source === undefined ? [] : filledIn(pattern, source)
  })
}

function sourceOf(target: unknown): string | undefined {
  if (typeof target !== 'object' || target === null || !('sojourn:source' in target)) return undefined
  const source = target['sojourn:source']
  return typeof source === 'string' ? source : undefined
}

function filledIn(pattern: string, source: string): readonly Subpath[] {
  if (!pattern.includes('*')) return [subpath(pattern, source)]
  const [before = '', after = ''] = source.split('*')
  return globSync(source, { cwd: root })
    .filter((file) => !/\.test(-d)?\.ts$/.test(file))
    .map((file) => join('.', file))
    .toSorted()
    .map((file) => subpath(pattern.replace('*', file.slice(join(before).length, file.length - after.length)), file))
}

function subpath(name: string, source: string): Subpath {
  return { specifier: join(manifest.name, name), subpath: name, source: join(source) }
}
