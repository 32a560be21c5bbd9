import { describe, it } from 'vitest'
import { responseFrom, serveFetch } from '../../test/adapters/fetch-server.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { fetchSession } from './fetch.ts'

/** A handler within a handler: one for each manager. */
function application({ sessions, second, answer }: AdapterFixture): (request: Request) => Promise<Response> {
  return fetchSession(sessions, (request, session) => fetchSession(second, async (request, second) => {
    const { pathname, search } = new URL(request.url)
    return responseFrom(await answer({ method: request.method, url: pathname + search, session, second, text: () => request.text() }))
  })(request))
}

describeAdapter({ describe, it }, 'fetch', (fixture) => serveFetch(application(fixture)), { lacks: ['node-response'] })
