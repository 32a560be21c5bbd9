import { Body, Controller, createParamDecorator, Get, Module, Post, Redirect, type ExecutionContext } from '@nestjs/common'
import { createSessions, type Session } from 'sojourn'

interface Data {
  visits: number
}

export const sessions = createSessions<Data>()

/** The visitor's session as a parameter of a handler. */
const Visitor = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<{ session: Session<Data> }>().session)

@Controller()
class Pages {
  @Get()
  hello(@Visitor() session: Session<Data>): string {
    return `Hello ${session.owner ?? 'visitor'}, you were here ${session.get('visits') ?? 0} times.\n`
  }

  @Post('visit')
  @Redirect('/', 303)
  async visit(@Visitor() session: Session<Data>): Promise<void> {
    await session.update('visits', (visits = 0) => visits + 1)
  }

  @Post('login')
  @Redirect('/', 303)
  async login(@Visitor() session: Session<Data>, @Body('user') user = 'nobody'): Promise<void> {
    // A real application checks a password here.
    await session.login(user)
  }

  @Post('logout')
  @Redirect('/', 303)
  async logout(@Visitor() session: Session<Data>): Promise<void> {
    await session.logout()
  }
}

@Module({ controllers: [Pages] })
export class App {}
