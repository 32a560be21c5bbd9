import type { ReactNode } from 'react'
import { Form } from 'react-router'
import { sessionContext } from '../sessions'
import type { Route } from './+types/home'

export function loader({ context }: Route.LoaderArgs): { readonly user: string; readonly visits: number } {
  const session = context.get(sessionContext)
  return { user: session.owner ?? 'visitor', visits: session.get('visits') ?? 0 }
}

// oxlint-disable-next-line import/no-default-export -- what React Router asks of a route
export default function Home({ loaderData: { user, visits } }: Route.ComponentProps): ReactNode {
  return (
    <main>
      <p>{`Hello ${user}, you were here ${visits} times.`}</p>
      <Form action="/visit" method="post"><button>Visit</button></Form>
      <Form action="/login" method="post"><input name="user" /><button>Log in</button></Form>
      <Form action="/logout" method="post"><button>Log out</button></Form>
    </main>
  )
}
