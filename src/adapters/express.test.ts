import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import express, { type Express, type Request, type Response } from 'express'
import express4 from 'express4'
import { describe, it } from 'vitest'
import { listen } from '../../test/adapters/node-server.ts'
import { Session } from '../core/session.ts'
import { describeAdapter, type AdapterFixture, type Reply } from '../testing/describe-adapter.ts'
import { expressSession } from './express.ts'

function application(app: Express, { sessions, second, answer }: AdapterFixture): Express {
  // Not to print the errors that the cases ask for.
  app.set('env', 'test')
  app.use(expressSession(sessions), expressSession(second, { as: 'second' }))
  app.use((request, response, next) => {
    const other: unknown = Reflect.get(request, 'second')
    answer({ method: request.method, url: request.originalUrl, session: request.session, ...(other instanceof Session && { second: other }), text: () => text(request) })
      .then((reply) => respond(request, response, reply)).catch(next)
  })
  return app
}

async function respond(request: Request, response: Response, { status, headers, body, onNode }: Reply): Promise<void> {
  if (onNode !== undefined) return onNode(response)
  response.status(status)
  for (const [name, value] of headers) response.append(name, value)
  const location = response.get('location')
  if (location !== undefined) response.redirect(status, location)
  else if (typeof body === 'string') response.send(body)
  else if (body === undefined || request.method === 'HEAD') response.end()
  else await pipeline(Readable.from(body), response)
}

describeAdapter({ describe, it }, 'express 5', (fixture) => listen(createServer(application(express(), fixture))))
describeAdapter({ describe, it }, 'express 4', (fixture) => listen(createServer(application(express4(), fixture))))
