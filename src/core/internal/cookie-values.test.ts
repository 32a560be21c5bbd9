import { describe, expect, it } from 'vitest'
import { cookieValues } from './cookie-values.ts'

describe('values of a cookie', () => {
  it.each<[string, string[]]>([['a\t=\t1', ['1']], [';\ta=1', ['1']], ['a="', ['"']], ['a=""', ['']], ['a="1', ['"1']], ['a=1"', ['1"']], ['b a=1', []], ['aa=1;a=2', ['2']], ['a;a=1', ['1']], ['a =1; a= 2 ;a=3', ['1', '2', '3']], ['ba=0;a=1', ['1']]])('in %j are %j', (header, values) => {
    expect(cookieValues(header, 'a')).toEqual(values)
  })
})
