import { redirect } from 'react-router'
import { sessionContext } from '../sessions'
import type { Route } from './+types/login'

export async function action({ context, request }: Route.ActionArgs): Promise<Response> {
  const form = await request.formData()
  // A real application checks a password here.
  await context.get(sessionContext).login(String(form.get('user') ?? 'nobody'))
  return redirect('/', 303)
}
