import { describe, expect, it } from 'vitest'
import { masked } from './masked.ts'

describe('what is shown of a value', () => {
  it('hides what has the name of a secret, at any depth, and leaves the rest', () => {
    const date = new Date(0)
    const hidden = '••••'
    expect(masked({ password: 'x', PassPhrase: 1, card: 'x', pan: 'x', panel: 'shown', cvv: 1, ccv2: 1, clientSecret: 'x', privateKey: 'x', private_key: 'x', cookieKey: 'x', cookie_key: 'x', csrfToken: 'x', otp: 'x', pin: 1, pinned: 1, name: 'x', at: date, none: null, list: [{ token: 'x', a: 1 }] }))
      .toEqual({ password: hidden, PassPhrase: hidden, card: hidden, pan: hidden, panel: 'shown', cvv: hidden, ccv2: hidden, clientSecret: hidden, privateKey: hidden, private_key: hidden, cookieKey: hidden, cookie_key: hidden, csrfToken: hidden, otp: hidden, pin: hidden, pinned: 1, name: 'x', at: date, none: null, list: [{ token: hidden, a: 1 }] })
    expect([masked(new Map<string, unknown>([['token', 1], ['a', { pin: 2 }]])), masked(new Set([{ token: 1 }, 2])), masked('token'), masked(null), masked(undefined)]).toEqual([{ token: hidden, a: { pin: hidden } }, [{ token: hidden }, 2], 'token', null, undefined])
  })

  it('ends at a depth of eight', () => {
    expect(JSON.stringify(masked([[[[[[[['deep', ['deeper']]]]]]]]]))).toBe('[[[[[[[["deep","…"]]]]]]]]')
    const round: Record<string, unknown> = {}
    round['self'] = round
    expect(JSON.stringify(masked(round))).toContain('…')
  })
})
