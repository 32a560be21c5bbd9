import { redirect } from 'react-router'
import { sessionContext } from '../sessions'
import type { Route } from './+types/logout'

export async function action({ context }: Route.ActionArgs): Promise<Response> {
  await context.get(sessionContext).logout()
  return redirect('/', 303)
}
