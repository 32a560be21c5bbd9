/**
 * One request and the response to it, as far as sessions are concerned. An adapter makes one from what its
 * framework hands it; nothing else of a framework reaches the core.
 */
export interface Exchange {
  /** The request's method in upper case. */
  readonly method: string
  /** The path and query of the request, as sent: `/cart?x=1`. */
  readonly url: string
  /** The request came over https, as far as the framework trusts what a proxy says. Undefined where nobody can tell: outside of a request. */
  readonly secure: boolean | undefined
  /** The host and port that the request was made to, as far as the framework trusts what a proxy says. Undefined: what the header `Host` says. */
  readonly host?: string | undefined
  /** The port the server listens on, where it is known. */
  readonly port: number | undefined
  /** A request header by its lower-case name. Several of one name are joined as HTTP joins them. */
  header(name: string): string | undefined
  /** A header of the response as set so far, by its lower-case name. */
  responseHeader(name: string): string | undefined
  setResponseHeader(name: string, value: string): void
  /** Adds one more header of this name and leaves the others alone. */
  appendResponseHeader(name: string, value: string): void
  /** The status line has left, or can no longer be changed. */
  readonly headSent: boolean
  /** The body as the framework has parsed it by now; undefined where it has not. */
  readonly body?: unknown
  /** The framework's own request, for hooks. */
  readonly request: unknown
}

/** What a response tells the visitor about the token. */
export interface TokenHandout {
  /** The token to keep; undefined to forget the one they have. */
  readonly token: string | undefined
  /** When the session ends, milliseconds since the epoch. */
  readonly expiresAt: number
  /** Core's clock. */
  readonly now: number
  /** The session has an expiry of its own, so the visitor should keep the token until then. */
  readonly lasting: boolean
  /** The token is new to the visitor: of a session made, rotated or logged in by this request. */
  readonly isNew: boolean
  /** Settings for this response only, as `session.cookie.set` took them. */
  readonly overrides: Readonly<Record<string, unknown>> | undefined
}

/** Where the token travels, and how it is protected there. */
export type TransportFacts = { readonly carrier: 'header' | 'url' } | CookieFacts

export interface CookieFacts {
  readonly carrier: 'cookie'
  /** Undefined: `__Host-sid`, or another name that fits the attributes. */
  readonly name: string | undefined
  readonly secure: boolean | 'auto'
  readonly httpOnly: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly partitioned: boolean
  readonly domain: string | undefined
  readonly path: string | undefined
  /** The browser keeps it when it is closed. */
  readonly persistent: boolean
}

/** How the token travels. */
export interface Transport {
  /** The texts offered as tokens by this request, best first. Their form has not been checked. */
  read(exchange: Exchange): readonly string[]
  /** Puts the token on the response, or clears it. Called at most once per response. */
  write(exchange: Exchange, handout: TokenHandout): void
  /** Why a token cannot reach the visitor on this response. A new session is then not stored, since nobody could return to it. */
  refuses?(exchange: Exchange): string | undefined
  /** Checks settings for one response; throws `ERR_SESSION_OPTION`. */
  checkOverrides?(overrides: Readonly<Record<string, unknown>>, exchange: Exchange | undefined): void
  /** The name under which the token travels: of the cookie, header or field. */
  nameFor?(exchange: Exchange): string
  /** The visitor keeps the token until the deadline, so it is handed out again when the deadline moves. */
  readonly persistent?: boolean
  /** The application has to carry the token itself, so `session.token` gives it at every request. */
  readonly exposesToken?: boolean
  /** The token may be in a form, so an adapter has the body parsed before the session is opened, where it can. */
  readonly readsBody?: boolean
  /** Called once at the end of each response, after every write to the store and before the head leaves. */
  settle?(exchange: Exchange): void
  /** What an audit looks at. Absent where it cannot be told. */
  readonly facts?: TransportFacts
  /** The response depends on this request header once the session was read: `Cookie`, `Authorization`. With `Cookie`, browsers send the token by themselves. */
  readonly vary?: string
}
