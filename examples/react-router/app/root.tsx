import type { ReactNode } from 'react'
import { Outlet, Scripts } from 'react-router'
import { sessionMiddleware } from './sessions'

export const middleware = [sessionMiddleware]

// oxlint-disable-next-line import/no-default-export -- what React Router asks of a route
export default function Root(): ReactNode {
  return <html lang="en"><body><Outlet /><Scripts /></body></html>
}
