import { SessionError } from '../errors.ts'

export function late(what: string): SessionError {
  return new SessionError('ERR_SESSION_LATE', `It is too late to ${what}: the head of the response has left. Do it before the first byte.`)
}

export function notLoaded(): SessionError {
  return new SessionError('ERR_SESSION_NOT_LOADED', 'The session is not loaded: it is lazy, or was released. Call `await session.load()` first.')
}

export function contended(): SessionError {
  return new SessionError('ERR_SESSION_CONFLICT', 'Other requests changed the same key at every attempt. Try again, or spread the load over keys.')
}

export function idTaken(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The session store says that every new id is taken. Check generateToken, or the store.', { outcome: 'none' })
}

export function unsupportedUpdate(): SessionError {
  return new SessionError('ERR_SESSION_UNSUPPORTED', 'session.update cannot be atomic where the visitor keeps the session. Use set, or a store on the server.')
}

export function unread(): SessionError {
  return new SessionError('ERR_SESSION_STORE', 'The session could not be read, so it cannot be ended. Try again.', { outcome: 'none' })
}
