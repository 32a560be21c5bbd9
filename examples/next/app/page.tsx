import type { ReactNode } from 'react'
import { logIn, logOut } from './actions'
import { readSession } from './sessions'

// oxlint-disable-next-line import/no-default-export -- what Next asks of a page
export default async function Page(): Promise<ReactNode> {
  const session = await readSession()
  return (
    <main>
      <p>{`Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.`}</p>
      <form action="/visit" method="post"><button>Visit</button></form>
      <form action={logIn}><input name="user" /><button id="login">Log in</button></form>
      <form action={logOut}><button id="logout">Log out</button></form>
    </main>
  )
}
