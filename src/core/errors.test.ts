import { describe, expect, it } from 'vitest'
import { isSessionError, SessionError } from './errors.ts'
import { withStatus } from './internal/http-error.ts'

describe('an error', () => {
  it('has code, message, outcome and cause, and is told from others, also from another copy of the package', () => {
    const cause = new Error('x')
    const error = new SessionError('ERR_SESSION_STORE', 'A. B.', { cause, outcome: 'unknown' })
    expect([error.name, error.code, error.message, error.outcome, error.cause, error instanceof Error]).toEqual(['SessionError', 'ERR_SESSION_STORE', 'A. B.', 'unknown', cause, true])
    const plain = new SessionError('ERR_SESSION_GONE', 'A. B.')
    expect([plain.outcome, 'cause' in plain]).toEqual([undefined, false])
    expect('cause' in new SessionError('ERR_SESSION_GONE', 'A. B.', { cause: undefined })).toBe(true)
    const foreign = Object.assign(new Error('A. B.'), { name: 'SessionError', code: 'ERR_SESSION_GONE' })
    const seen = [error, foreign, cause, Object.assign(new Error('x'), { code: 'ERR_SESSION_GONE' }), Object.assign(new Error('x'), { name: 'SessionError' }), { name: 'SessionError', code: 'x' }, undefined, null, 'x']
    expect(seen.map((one) => isSessionError(one))).toEqual([true, true, false, false, false, false, false, false, false])
    expect(seen.map((one) => isSessionError(one, 'ERR_SESSION_GONE'))).toEqual([false, true, false, false, false, false, false, false, false])
  })

  it('with a status is what frameworks look for', async () => {
    const error = withStatus(new SessionError('ERR_SESSION_STALE', 'A. B.'), 403)
    expect(error).toMatchObject({ status: 403, statusCode: 403, expose: true, stack: 'SessionError: A. B.', code: 'ERR_SESSION_STALE' })
    const response = error.getResponse()
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control'), await response.text()]).toEqual([403, 'text/plain; charset=utf-8', 'no-store', 'A. B.\n'])
  })
})
