import { SessionError } from '../errors.ts'

/** A base whose objects refuse unknown properties: `session.user = x` would be lost, so it throws and names the fix. */
// oxlint-disable-next-line typescript/no-extraneous-class -- its prototype is what it is for
export const SealedObject: new () => object = class {}

// Every `await` of a session asks for it; answered here, the question does not reach the proxy.
// oxlint-disable-next-line unicorn/no-thenable -- undefined: it is none
Object.defineProperty(SealedObject.prototype, 'then', { value: undefined })

// At the end of the prototype chain: what the class defines is found before, so only unknown properties come here.
Object.setPrototypeOf(SealedObject.prototype, new Proxy(Object.prototype, {
  set(_target, property) {
    const name = JSON.stringify(String(property).slice(0, 60))
    throw new SessionError('ERR_SESSION_USAGE', `A session has no property ${name}. Write session.set(${name}, value), or session.data[${name}] = value.`)
  },
}))
