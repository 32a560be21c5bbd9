import { describe, expect, it } from 'vitest'
import type { Row } from '../bench/speed/compare.ts'
import { goalTable } from '../bench/speed/goals.ts'
import { merged, report, rowsOf } from '../bench/speed/report.ts'
import { subjects } from '../bench/speed/subjects.ts'

const effort = { rounds: 5, seconds: 0.3, beginning: 4, warmUp: 1 }

function row(framework: string, name: string, ratio: number): Row {
  const subject = subjects.find((one) => one.framework === framework && one.name === name)
  if (subject === undefined) throw new Error(`There is no ${framework}: ${name}.`)
  const result = { ratio, cpuRatio: ratio, p99: 3 }
  const results = Object.fromEntries(subject.scenarios.map((scenario) => [scenario, scenario === 'read' || scenario === 'write' ? result : { ...result, cpuRatio: Number.NaN, p99: Number.NaN }]))
  return { subject, date: '2026-11-22', lost: '0 of 100', undone: '5 of 5', results }
}

describe('the results of the speed benchmark', () => {
  it('are read back as they were written', () => {
    const rows = [row('node', 'Sojourn, memory', 0.75), row('express', 'express-session, redis', 0.25), row('starman', 'Plack::Middleware::Session, file', 0.5)]
    expect(rowsOf(report(rows, effort, []), subjects)).toEqual(rows)
  })

  it('show nothing where an older table lacks a column', () => {
    const older = ['### koa', '', '| | read | p99, read |', '|---|---:|---:|', '| Sojourn, redis | 0.50 | 5.0 ms |'].join('\n')
    const text = report(rowsOf(older, subjects), effort, [])
    expect(text).toContain('| Sojourn, redis |  | 0.50 |  |  |  |  | 5.00 |  |  |  |  |')
    expect(text).not.toContain('NaN')
  })

  it('take new rows in the places of old ones and keep the others', () => {
    const older = [row('node', 'Sojourn, memory', 0.5), row('koa', 'koa-session, redis', 0.25)]
    const newer = [row('fastify', 'Sojourn, memory', 0.75), row('node', 'Sojourn, memory', 0.9)]
    const both = merged(older, newer, subjects).map(({ subject, results }) => `${subject.framework} ${subject.name} ${results.read?.ratio}`)
    expect(both).toEqual(['node Sojourn, memory 0.9', 'fastify Sojourn, memory 0.75', 'koa koa-session, redis 0.25'])
  })

  it('name the rows that could not be measured', () => {
    expect(report([], effort, ['starman: Plack::Middleware::Session, file. It is not installed.'])).toContain('- starman: Plack::Middleware::Session, file.')
  })
})

describe('the goals of speed', () => {
  it('are judged for the rows that are there, those between two rows only where both are', () => {
    const alone = goalTable([row('express', 'Sojourn, redis', 0.56)])
    expect(alone).toContain('| express: Sojourn, redis, read | ≥ 0.55 |  | 0.56 | met |')
    expect(alone).not.toContain('times express-session')
    const beside = goalTable([row('express', 'Sojourn, redis', 0.56), row('express', 'express-session, redis', 0.28), row('express', 'limit of one command', 0.7)])
    expect(beside).toContain('| express: Sojourn, redis, read, times express-session, redis | ≥ 1.70 | 2.50 | 2.00 | met |')
    expect(beside).toContain('| express: Sojourn, redis, p99 of read, times express-session, redis | ≤ 0.50 |  | 1.00 | **missed** |')
    expect(beside).toContain('| express: Sojourn, redis, read, times limit of one command | ≥ 0.90 | 1.00 | 0.80 | **missed** |')
  })

  it('ask of the slowest row of a framework what an anonymous visitor costs', () => {
    const rows = [row('express', 'Sojourn, redis', 0.99), row('express', 'Sojourn, file', 0.9), row('node', 'Sojourn, file', 0.8), row('express', 'express-session, redis', 0.4), row('hono', 'Sojourn, file', 0.7)]
    expect(goalTable(rows)).toContain('| hono: anonymous, the slowest of 1 rows (Sojourn, file) | ≥ 0.98 |  | 0.70 | **missed** |')
    expect(goalTable(rows)).toContain('| express: anonymous, the slowest of 2 rows (Sojourn, file) | ≥ 0.98 |  | 0.90 | **missed** |')
  })

  it('say where what does less than any session misses them, too', () => {
    const rows = [row('node', 'Sojourn, memory', 0.8), row('node', 'limit of one hash', 0.9)]
    expect(goalTable(rows)).toContain('| node: Sojourn, memory, read | ≥ 0.92 | 0.90 | 0.80 | **missed**, as by the limit |')
    expect(goalTable(rows)).toContain('| node: Sojourn, memory, write | ≥ 0.85 | 0.90 | 0.80 | **missed** |')
  })
})
