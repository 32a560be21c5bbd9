import type { RaceFault, Score } from 'sojourn/testing'
import { ADAPTERS, ATOMIC_STORES } from './names.ts'
import type { Subject } from './subjects.ts'

export interface Card {
  readonly subject: Subject
  readonly scores: readonly Score[]
}

/** The tables of docs/scorecard.md. */
export function report(cards: readonly Card[]): string {
  const of = (group: Subject['group']): readonly Card[] => cards.filter(({ subject }) => subject.group === group)
  return `## Results

Run on ${new Date().toISOString().slice(0, 10)} with Node ${process.versions.node}. A cell says how often a fault was seen, and of how many attempts. **Bold** is a fault;
an empty cell: there was nothing to try, since nothing is saved outside of the cookie, or no token ever dies.

### Sojourn: every adapter with every atomic store

Faults of all kinds together, of all attempts. The server of \`mysql\` is MariaDB.

${atomicTable(of('atomic'))}

### Libraries that keep sessions on the server

${faultTable([sumOf(of('atomic')), ...of('server')])}

hono-sessions' memory store hands the same object to every request of the process, so no write can be lost there; its Redis column shows what a store outside of the process does.

### Libraries that leave the session with the visitor

The whole session travels in a sealed or signed cookie. There is no record to end, so a copy of the cookie works until it expires, and parallel
responses overwrite one another in the browser. Sojourn's [cookie store](stores/cookie.md) can do no better, and says so (\`consistency: 'client'\`).

${faultTable(of('client'))}

### Sojourn on stores without an atomic step

The [cache](stores/cache.md), [simple](stores/simple.md) and [express](stores/express.md) stores are *best effort*: one process loses nothing; between two, a save that comes
between the reading and the writing of another's is lost, and a logout then is undone. Here the backend holds exactly that moment. Each of them shows those two
faults and no other, or the run fails.

${faultTable(of('best-effort'))}
`
}

function atomicTable(cards: readonly Card[]): string {
  const cell = (adapter: string, store: string): string => {
    const card = cards.find(({ subject }) => subject.name === `Sojourn, ${adapter}` && subject.store === store)
    return card === undefined ? 'not run' : cellOf(total(card.scores))
  }
  return table(['', ...ATOMIC_STORES], ADAPTERS.map((adapter) => [adapter, ...ATOMIC_STORES.map((store) => cell(adapter, store))]))
}

function faultTable(cards: readonly Card[]): string {
  const faults: readonly RaceFault[] = cards[0]?.scores.map(({ fault }) => fault) ?? []
  const rows = faults.map((fault) => [fault, ...cards.map(({ scores }) => cellOf(scores.find((score) => score.fault === fault)))])
  return table(['', ...cards.map(({ subject }) => `${subject.name}<br>${subject.store}`)], rows)
}

/** All cards as one. */
function sumOf(cards: readonly Card[]): Card {
  const [first] = cards
  if (first === undefined) throw new Error('There is no card to add up.')
  const scores = first.scores.map(({ fault }) => ({ ...total(cards.flatMap((card) => card.scores.filter((score) => score.fault === fault))), fault }))
  return { subject: { ...first.subject, name: 'Sojourn', store: 'all of the above' }, scores }
}

function total(scores: readonly Score[]): Pick<Score, 'seen' | 'of'> {
  return { seen: scores.reduce((sum, { seen }) => sum + seen, 0), of: scores.reduce((sum, { of }) => sum + of, 0) }
}

function cellOf(score: Pick<Score, 'seen' | 'of'> | undefined): string {
  if (score === undefined || score.of === 0) return ''
  const text = `${score.seen} of ${score.of}`
  return score.seen > 0 ? `**${text}**` : text
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
