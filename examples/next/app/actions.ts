'use server'

import { redirect } from 'next/navigation'
import { withSession } from './sessions'

export async function logIn(form: FormData): Promise<void> {
  // A real application checks a password here.
  await withSession((session) => session.login(String(form.get('user') ?? 'nobody')))
  redirect('/')
}

export async function logOut(): Promise<void> {
  await withSession((session) => session.logout())
  redirect('/')
}
