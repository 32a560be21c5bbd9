import { forwarded, isSecureRequest, NodeExchange } from './node-exchange.ts'
import type { NodeRequest } from './node-types.ts'

/** The part of Express' request that is used here. Version 4 and 5. */
export interface ExpressRequest extends NodeRequest {
  /** Express' own notion, which follows `app.set('trust proxy', …)`. */
  readonly secure?: boolean
  readonly app?: { get(setting: string): unknown }
}

/** What Express thinks of where a request came to, which follows `app.set('trust proxy', …)`. */
export class ExpressExchange extends NodeExchange<ExpressRequest> {
  get secure(): boolean {
    return this.request.secure ?? isSecureRequest(this.request, false)
  }

  get host(): string | undefined {
    const host = forwarded(this.request, 'x-forwarded-host')
    return host !== undefined && trustsProxy(this.request) ? host : undefined
  }
}

// What Express itself asks in `request.host` of version 5 and `request.hostname`; that of version 4 leaves out the port.
function trustsProxy({ app, socket }: ExpressRequest): boolean {
  const trust = app?.get('trust proxy fn')
  const address: unknown = socket !== null && socket !== undefined && 'remoteAddress' in socket ? socket.remoteAddress : undefined
  return typeof trust === 'function' && Boolean(Reflect.apply(trust, undefined, [address, 0]))
}
