import { forwarded, isSecureRequest, NodeExchange } from './node-exchange.ts'
import type { NodeRequest, NodeResponse } from './node-types.ts'

/** The part of Express' request that is used here. Version 4 and 5. */
export interface ExpressRequest extends NodeRequest {
  /** Express' own notion, which follows `app.set('trust proxy', …)`. */
  readonly secure?: boolean
  readonly app?: { get(setting: string): unknown }
}

/** What Express thinks of where a request came to, which follows `app.set('trust proxy', …)`. */
export class ExpressExchange extends NodeExchange<ExpressRequest> {
  readonly secure: boolean
  readonly host: string | undefined

  constructor(request: ExpressRequest, response: NodeResponse) {
    super(request, response)
    const host = forwarded(request, 'x-forwarded-host')
    this.secure = request.secure ?? isSecureRequest(request, false)
    this.host = host !== undefined && trustsProxy(request) ? host : undefined
  }
}

// What Express itself asks in `request.host` of version 5 and `request.hostname`; that of version 4 leaves out the port.
function trustsProxy({ app, socket }: ExpressRequest): boolean {
  const trust = app?.get('trust proxy fn')
  const address: unknown = socket !== null && socket !== undefined && 'remoteAddress' in socket ? socket.remoteAddress : undefined
  return typeof trust === 'function' && Boolean(Reflect.apply(trust, undefined, [address, 0]))
}
