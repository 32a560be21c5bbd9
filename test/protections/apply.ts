import type { Protection } from './protections.ts'

/** The source without the protection. Throws when its text is not there exactly once. */
export function withoutProtection(source: string, { file, search, replace }: Protection): string {
  const parts = source.split(search)
  if (parts.length !== 2) throw new Error(`${JSON.stringify(search)} is ${parts.length - 1} times in ${file}, and has to be there once`)
  return parts.join(replace)
}
