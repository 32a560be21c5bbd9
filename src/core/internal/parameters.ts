/** A parameter to put on a URL; undefined takes it away. */
export type Parameters = Readonly<Record<string, string | undefined>>

/** The first value of a parameter of a URL's query; undefined when absent. */
export function parameterOf(url: string, name: string): string | undefined {
  const { query } = split(url)
  if (query === '') return undefined
  return new URLSearchParams(query).get(name) ?? undefined
}

/** The URL with these parameters put on, or taken away. What else is in the query stays as it was written. */
export function withParameters(url: string, parameters: Parameters): string {
  const { path, query, hash } = split(url)
  const kept = query.split('&').filter((part) => part !== '' && !Object.hasOwn(parameters, nameOf(part)))
  const added = Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`]))
  const all = [...kept, ...added].join('&')
  return path + (all === '' ? '' : `?${all}`) + hash
}

/** Keeps the parameters whose name passes. */
export function filterParameters(url: string, keeps: (name: string) => boolean): string {
  const { path, query, hash } = split(url)
  const kept = query.split('&').filter((part) => part !== '' && keeps(nameOf(part))).join('&')
  return path + (kept === '' ? '' : `?${kept}`) + hash
}

/** The parameters by name. One that is there several times has a list. The object has no prototype. */
export function queryOf(url: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(split(url).query)) {
    const before = query[name]
    query[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value]
  }
  return query
}

export function pathOf(url: string): string {
  return split(url).path
}

/** Whether two URLs of this site name the same page, however they are encoded. */
export function isSamePage(a: string, b: string): boolean {
  if (a === b) return true
  const [one, two] = [split(a), split(b)]
  const query = (text: string): string => JSON.stringify([...new URLSearchParams(text)])
  return decoded(one.path) === decoded(two.path) && query(one.query) === query(two.query)
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

// As servers read it: `%63=x` is the parameter "c", and has to be found under this name.
function nameOf(part: string): string {
  const [name = ''] = new URLSearchParams(part).keys()
  return name
}

function split(url: string): { readonly path: string; readonly query: string; readonly hash: string } {
  const hashAt = url.indexOf('#')
  const beforeHash = hashAt === -1 ? url : url.slice(0, hashAt)
  const queryAt = beforeHash.indexOf('?')
  return {
    path: queryAt === -1 ? beforeHash : beforeHash.slice(0, queryAt),
    query: queryAt === -1 ? '' : beforeHash.slice(queryAt + 1),
    hash: hashAt === -1 ? '' : url.slice(hashAt),
  }
}
