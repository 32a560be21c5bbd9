import { index, route, type RouteConfig } from '@react-router/dev/routes'

const routes: RouteConfig = [
  index('routes/home.tsx'),
  route('visit', 'routes/visit.ts'),
  route('login', 'routes/login.ts'),
  route('logout', 'routes/logout.ts'),
]

// oxlint-disable-next-line import/no-default-export -- what React Router asks of this module
export default routes
