import { describe, expect, it } from 'vitest'
import type { Arrived } from './index.ts'
import { restoredRequest, restoreRequest, type RestorableRequest } from './restore.ts'

const arrived = (more: Partial<Arrived> = {}): Arrived => ({ method: 'POST', path: '/order', url: '/order?x=1', query: { x: '1' }, fields: { item: 'tea', size: ['s', 'l'] }, omitted: [], values: {}, ...more })
const live = (): Request => new Request('https://shop.example/order?x=1&r=abc', { headers: { 'user-agent': 'live', cookie: 'sid=live', 'content-type': 'text/plain', 'content-length': '5' } })

describe('restoredRequest', () => {
  it('is the saved request with the headers of the live one', async () => {
    const request = restoredRequest(live(), arrived())
    expect([request.method, request.url, request.headers.get('user-agent'), request.headers.get('cookie'), request.headers.get('content-length')]).toEqual(['POST', 'https://shop.example/order?x=1', 'live', 'sid=live', null])
    expect([...await request.formData()]).toEqual([['item', 'tea'], ['size', 's'], ['size', 'l']])
  })

  it('sends as JSON what is not text', async () => {
    const request = restoredRequest(live(), arrived({ method: 'PUT', fields: { count: 5, nested: { a: [1] } } }))
    expect(request.headers.get('content-type')).toBe('application/json')
    expect(await request.json()).toEqual({ count: 5, nested: { a: [1] } })
  })

  it('has no body when it is a GET', () => {
    expect(restoredRequest(live(), arrived({ method: 'GET', fields: {} })).body).toBeNull()
  })
})

describe('restoreRequest', () => {
  it('changes method, url and body of the live request, and nothing else', () => {
    const request: RestorableRequest & { headers: object } = { method: 'GET', url: '/order?x=1&r=abc', body: undefined, headers: { cookie: 'live' } }
    const saved = arrived()
    restoreRequest(request, saved)
    expect(request).toEqual({ method: 'POST', url: '/order?x=1', body: { item: 'tea', size: ['s', 'l'] }, headers: { cookie: 'live' } })
    expect(request.body).not.toBe(saved.fields)
  })

  it('leaves the body alone when it is a GET', () => {
    const request: RestorableRequest = { method: 'GET', url: '/a?r=abc', body: 'untouched' }
    restoreRequest(request, arrived({ method: 'GET', url: '/a', fields: {} }))
    expect(request).toEqual({ method: 'GET', url: '/a', body: 'untouched' })
  })
})
