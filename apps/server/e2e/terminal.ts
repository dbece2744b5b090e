import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'

/** A shell somebody types into: what is set in one block is there in the next. */
export interface Terminal {
  /** Types a block and returns what is printed, standard output and error as they come, and how it ended. */
  type(block: string): Promise<{ readonly printed: string; readonly code: number }>
  /** Types a block that does not end, and waits until it has printed `text`. */
  typeUntil(block: string, text: string): Promise<void>
}

/** Opens one; it is closed, with all that runs in it, when the test is over. */
export function openTerminal(options: {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}): Terminal {
  // A process group of its own, to be ended as one.
  const shell: ChildProcess = spawn('bash', ['--noprofile', '--norc'], {
    ...options,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const closed = new Promise<void>((resolve) => shell.once('close', () => resolve()))
  const end = (): void => {
    try {
      process.kill(-(shell.pid as number), 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  process.once('exit', end)
  onTestFinished(async () => {
    end()
    await closed
    process.off('exit', end)
  })
  let output = ''
  let look = (): void => {}
  shell.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text
    look()
  })
  shell.stdin?.write('exec 2>&1\n')

  const until = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (output.includes(text)) resolve()
      }
      void closed.then(() => reject(new Error(`the terminal was closed:\n${output}`)))
      look()
    })

  const write = (block: string): void => {
    output = ''
    // Quoted, so that no block reads what is typed after it.
    shell.stdin?.write(`eval '${block.replaceAll("'", String.raw`'\''`)}' </dev/null\n`)
  }

  return {
    async type(block) {
      const mark = randomUUID()
      write(block)
      shell.stdin?.write(`printf '%03d${mark}' $?\n`)
      await until(mark)
      const at = output.indexOf(mark) - 3
      return { printed: output.slice(0, at), code: Number(output.slice(at, at + 3)) }
    },
    async typeUntil(block, text) {
      write(block)
      await until(text)
    },
  }
}
