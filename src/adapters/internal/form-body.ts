/** In bytes. A token and the fields of any form that a person fills in; more is a file, or an attack. */
const MAX_FORM = 64 * 1024

/** The fields of a form, of several with one name the last; undefined when the request brings none, or more than 64 KiB. The request's own body can still be read. */
export async function formOf(request: Request): Promise<Record<string, string> | undefined> {
  if (request.method !== 'POST' || request.body === null || request.bodyUsed || !isForm(request.headers.get('content-type'))) return undefined
  const reader = request.clone().body?.getReader()
  if (reader === undefined) return undefined
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    // Who goes away in the midst of a form has sent none; a handler that reads it is told.
    const { done, value } = await reader.read().catch(() => BROKEN)
    if (done === undefined) return undefined
    if (done) return Object.fromEntries(new URLSearchParams(text + decoder.decode()))
    text += decoder.decode(value, { stream: true })
    if (text.length <= MAX_FORM) continue
    // The handler gets the rest of the body; only this copy is let go.
    reader.cancel().catch(() => {})
    return undefined
  }
}

const BROKEN = { done: undefined, value: undefined } as const

function isForm(type: string | null): boolean {
  return type?.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
}
