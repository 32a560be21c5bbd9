import { createServer } from 'node:http'
import { H3, toNodeHandler } from 'h3'
import { describe, it } from 'vitest'
import { responseFrom } from '../../test/adapters/fetch-server.ts'
import { listen } from '../../test/adapters/node-server.ts'
import { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture } from '../testing/describe-adapter.ts'
import { h3Session } from './h3.ts'

function application({ sessions, second, answer, late }: AdapterFixture): H3 {
  const app = new H3({ silent: true })
  app.use(h3Session(sessions, { late })).use(h3Session(second, { as: 'second' }))
  app.all('/**', async (event) => {
    const { session, second: other } = event.context
    if (!(session instanceof Session) || !(other instanceof Session)) throw new Error('no session')
    return responseFrom(await answer({ method: event.req.method, url: event.url.pathname + event.url.search, session, second: other, text: () => event.req.text() }))
  })
  return app
}

describeAdapter({ describe, it }, 'h3', (fixture) => listen(createServer(toNodeHandler(application(fixture)))), { lacks: ['node-response'] })
