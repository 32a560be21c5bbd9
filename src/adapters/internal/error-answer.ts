import { AsyncLocalStorage } from 'node:async_hooks'
import type { Arguments, NodeResponse } from './node-types.ts'

interface ErrorAnswer {
  readonly error: unknown
  /** The handler has ended its body: whoever writes now answers the error. */
  readonly handlerIsDone: boolean
  readonly answer: (error: unknown) => void
}

/**
 * Lets an error be answered on a response whose body was dropped. The methods are set anew, over what wrapped them
 * meanwhile: a compression that has seen the end of the dropped body would swallow the answer. A handler that has not
 * come to its end is told from who answers, perhaps later, by the asynchronous context; what it still says is dropped.
 */
export function answerInstead(
  response: NodeResponse, { writeHead, write, end, flushHeaders }: Required<Pick<NodeResponse, 'writeHead' | 'write' | 'end' | 'flushHeaders'>>,
  { error, handlerIsDone, answer }: ErrorAnswer,
): void {
  const answering = new AsyncLocalStorage<true>()
  let isDone = handlerIsDone
  const mayAnswer = (): boolean => isDone || answering.getStore() === true
  response.writeHead = (...args) => (mayAnswer() ? Reflect.apply(writeHead, response, args) : response)
  response.write = (...args) => (mayAnswer() ? Reflect.apply(write, response, args) === true : callBack(args, error))
  response.end = (...args) => {
    if (mayAnswer()) return Reflect.apply(end, response, args)
    isDone = true
    callBack(args, error)
    return response
  }
  response.flushHeaders = () => { if (mayAnswer()) Reflect.apply(flushHeaders, response, []) }
  answering.run(true, () => answer(error))
}

/** Calls the callback among the arguments of a `write` or `end` that will not happen. Always false: nothing was taken. */
export function callBack(args: Arguments, error: unknown): false {
  const callback = args.at(-1)
  if (typeof callback === 'function') process.nextTick(callback, error)
  return false
}

/** Breaks a response off whose head has left, so that nobody takes what has come of it for whole. */
export function cutOff(response: NodeResponse): void {
  const stream: unknown = Reflect.get(response, 'stream')
  // HTTP/2 ends a stream that is destroyed in order. RFC 9113 7: 2 is INTERNAL_ERROR.
  if (typeof stream === 'object' && stream !== null && 'close' in stream && typeof stream.close === 'function') Reflect.apply(stream.close, stream, [2])
  else response.destroy()
}
