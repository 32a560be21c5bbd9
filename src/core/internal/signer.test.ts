import { describe, expect, it } from 'vitest'
import { Signer } from './signer.ts'

describe('a signed text', () => {
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)] as const

  it('opens for its purpose, use and key, also an earlier one, and is readable by nobody else’s', () => {
    const text = new Signer([one], 'x', 'use').sign('a', 'päyload.x')
    expect(text).toMatch(/^~[\w-]+\.[\w-]{43}$/)
    expect(new Signer([two, one], 'x', 'use').open('a', text)).toBe('päyload.x')
    expect(new Signer([two], 'x', 'use').open('a', text)).toBeUndefined()
    expect(new Signer([one], 'x', 'other').open('a', text)).toBeUndefined()
    expect(new Signer([one], 'x', 'use').open('b', text)).toBeUndefined()
    expect(new Signer([two, one], 'x', 'use').sign('a', 'päyload.x')).not.toBe(text)
  })

  it('that is none opens to nothing', () => {
    const signer = new Signer([one], 'x', 'use')
    const text = signer.sign('a', 'x')
    for (const other of ['', '~', '.', '~.', text.slice(1), `x${text.slice(1)}`, text.slice(0, -1), `${text}x`, text.replace('.', ''), `~${'A'.repeat(17_000)}.x`]) expect(signer.open('a', other)).toBeUndefined()
    expect(signer.open('a', signer.sign('a', 'x'.repeat(12_000)))).toHaveLength(12_000)
    expect(signer.open('a', signer.sign('a', 'x'.repeat(12_500)))).toBeUndefined()
  })

  it('without keys opens in the same process alone', () => {
    const [here, there] = [new Signer(undefined, 'x', 'use'), new Signer(undefined, 'x', 'use')]
    const text = here.sign('a', 'x')
    expect([here.open('a', text), there.open('a', text)]).toEqual(['x', undefined])
  })
})
