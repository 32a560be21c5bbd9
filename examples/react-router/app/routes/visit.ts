import { redirect } from 'react-router'
import { sessionContext } from '../sessions'
import type { Route } from './+types/visit'

export async function action({ context }: Route.ActionArgs): Promise<Response> {
  await context.get(sessionContext).update('visits', (visits = 0) => visits + 1)
  return redirect('/', 303)
}
