import type { Io } from '../src/io.ts'

/** A system that is not there: what was said, and a clock that waiting moves. */
export function createTestIo(options: Partial<Pick<Io, 'env' | 'interactive'>> & { readonly stdin?: string } = {}): {
  readonly io: Io
  readonly said: { readonly out: string; readonly err: string }
} {
  const said = { out: '', err: '' }
  let now = Date.UTC(2026, 0, 1)
  const io: Io = {
    env: options.env ?? {},
    interactive: options.interactive ?? false,
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    readStdin: async () => options.stdin ?? '',
    wait: async (milliseconds) => {
      now += milliseconds
    },
    now: () => now,
  }
  return { io, said }
}
