const BASE = 'http://target.invalid'
/** Longer than any URL that servers take; long enough for a search with many filters. */
const MAX_LENGTH = 8192
const MAX_DECODINGS = 5

/**
 * The path of this site that a text names, in the form in which it is safe to redirect to; undefined for everything else:
 * `//evil.example`, `/\evil.example`, `https://…`, `javascript:…`, text with control characters, and encodings of these.
 * Check with it what a visitor sent: `localTarget(request.query.next) ?? '/'`.
 */
export function localTarget(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH || CONTROLS.test(text)) return undefined
  if (!staysLocal(text.split(/[?#]/, 1)[0] ?? '')) return undefined
  const url = parsed(text)
  return url === undefined ? undefined : url.pathname + url.search + url.hash
}

// Browsers drop tabs and newlines inside a URL, so "/\t/evil.example" is "//evil.example"; the rest has no business in a header.
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/
const LOCAL_PATH = /^\/(?![/\\])[^\\]*$/

// Something behind us may decode once more before it resolves the path, so every decoded form must be local as well.
function staysLocal(path: string): boolean {
  let form = path
  for (let round = 0; round <= MAX_DECODINGS; round += 1) {
    if (CONTROLS.test(form) || !LOCAL_PATH.test(form) || parsed(form.replaceAll(/[?#]/g, '')) === undefined) return false
    const decoded = decodedOnce(form)
    if (decoded === undefined || decoded === form) return true
    form = decoded
  }
  return false
}

/** The URL, when its path cannot be taken for a host: dot segments can end in "//". */
function parsed(text: string): URL | undefined {
  const url = URL.parse(text, BASE)
  return url !== null && LOCAL_PATH.test(url.pathname) ? url : undefined
}

function decodedOnce(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}
