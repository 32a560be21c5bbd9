import type { Session } from './session.ts'

/**
 * Tell Sojourn your data type once, and every adapter's session is typed without generics:
 * `declare module 'sojourn' { interface Register { data: { userId: number } } }`
 */
// oxlint-disable-next-line typescript/no-empty-interface, typescript/no-empty-object-type -- augmented by applications
export interface Register {}

/** The data type that the application registered; any text as key and unknown values otherwise. */
export type RegisteredData = Register extends { data: infer Data extends object } ? Data : Record<string, unknown>

/** The session as frameworks hand it out. */
export type RegisteredSession = Session<RegisteredData>
