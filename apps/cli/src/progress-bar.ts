import type { Io } from './io.ts'

/** Shows how far something is: one line that is written over on a terminal, nothing elsewhere. */
export interface ProgressBar {
  step(): void
  end(): void
}

const WIDTH = 30

export function createProgressBar(total: number, { interactive, err }: Pick<Io, 'interactive' | 'err'>): ProgressBar {
  let done = 0
  const draw = (): void => {
    if (!interactive) return
    const filled = total === 0 ? WIDTH : Math.round((done / total) * WIDTH)
    err(`\r[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`)
  }
  draw()
  return {
    step() {
      done++
      draw()
    },
    end() {
      if (interactive) err('\n')
    },
  }
}
