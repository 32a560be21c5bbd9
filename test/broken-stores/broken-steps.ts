import type { BrokenStore } from './broken-store.ts'
import { inTurns, inTwoSteps } from './careless.ts'

/** Mistakes that only show when several calls are under way. */
export const brokenSteps: readonly BrokenStore[] = [
  {
    name: 'reads and writes in two steps',
    wrap: inTwoSteps,
    caughtBy: [
      'lets exactly one of 20 creates of one id win, and keeps the winner’s record',
      'keeps all of 50 patches to 50 entries that are under way at once',
      'lets one of 20 patches with the same expectation win, and shows the others the record that beat them',
      'gives one of 10 rotations that are under way at once the token',
      'lets nothing live after an end, whatever patches are under way with it',
      'applies the patches and creates of two handles in one atomic step each',
      'gives a rotation one winner across two handles',
      'lets nothing live after an end on one handle, whatever patches are under way on another',
      'answers 150 random batches of calls that are under way at once as some order of them would',
    ],
  },
  {
    name: 'reads and writes in two steps, one call after another on each handle',
    wrap: (store, data) => inTurns(inTwoSteps(store, data)),
    caughtBy: [
      'applies the patches and creates of two handles in one atomic step each',
      'gives a rotation one winner across two handles',
      'lets nothing live after an end on one handle, whatever patches are under way on another',
    ],
  },
]
