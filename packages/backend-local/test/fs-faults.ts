import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** What happens instead of one change of the file system. */
export type Fault =
  /** The process dies, as by SIGKILL or a power cut; half of what was to be written is. */
  | 'kill'
  /**
   * As far as the disk can tell the process died; `stopped` resolves, the call never returns, and neither does any later one
   * of the same `live`.
   */
  | 'stop'
  /** The call fails with ENOSPC, and nothing (or half a file) was written. */
  | 'no-space'

/** Counts the calls that change the file system, and makes one of them go wrong. */
export interface FileSystemFaults {
  /** Arms the fault for the `step`-th change from now, counted from 1. */
  arm(step: number, fault: Fault): void
  /** Runs what a stop ends as a whole, whatever it does at the same time or in the background. */
  live<T>(work: () => T): T
  /** Resolves when a call was stopped. */
  readonly stopped: Promise<'stopped'>
  disarm(): void
  /** Changes since the last `arm`. */
  readonly steps: number
}

type AsyncFunction = (this: unknown, ...args: unknown[]) => Promise<unknown>

/**
 * Puts itself between this process and node:fs/promises, for every module that was or will be loaded: each system call
 * that makes, fills, links, renames or removes something passes here.
 */
export async function installFileSystemFaults(): Promise<FileSystemFaults> {
  let armed: { readonly step: number; readonly fault: Fault } | undefined
  let steps = 0
  let stop = (): void => {}
  let stopped: Promise<'stopped'> = new Promise(() => {})
  const lives = new AsyncLocalStorage<{ dead: boolean }>()

  /** Resolves when the call may go on. */
  async function pass(half?: () => Promise<unknown>, close?: () => Promise<unknown>): Promise<void> {
    const life = lives.getStore()
    if (life?.dead === true) {
      await close?.()
      await new Promise(() => {})
    }
    if (armed === undefined) return
    steps++
    if (armed.step !== steps) return
    await half?.()
    if (armed.fault !== 'no-space') {
      if (armed.fault === 'kill') process.kill(process.pid, 'SIGKILL')
      if (life !== undefined) life.dead = true
      stop()
      await close?.()
      await new Promise(() => {})
    }
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', errno: -28 })
  }

  const module = fs as unknown as Record<string, AsyncFunction>
  for (const name of ['link', 'rename', 'unlink', 'mkdir', 'rmdir', 'rm', 'writeFile', 'open']) {
    const real = module[name] as AsyncFunction
    module[name] = async function (...args) {
      if (name !== 'open' || String(args[1]).includes('w')) await pass()
      return real.apply(this, args)
    }
  }
  const probe = await fs.open('/dev/null', 'r')
  const handles = Object.getPrototypeOf(probe) as Record<string, AsyncFunction>
  await probe.close()
  for (const name of ['writeFile', 'sync']) {
    const real = handles[name] as AsyncFunction
    handles[name] = async function (...args) {
      const [bytes] = args as [string | Buffer]
      // A process that dies before an fsync leaves what one that dies after it does.
      if (name === 'sync' && armed?.fault !== 'no-space') return real.apply(this, args)
      const half = (): Promise<unknown> => real.call(this, bytes.slice(0, bytes.length / 2))
      await pass(name === 'sync' ? undefined : half, () => (this as fs.FileHandle).close())
      return real.apply(this, args)
    }
  }
  syncBuiltinESMExports()

  return {
    arm(step, fault) {
      steps = 0
      armed = { step, fault }
      stopped = new Promise((resolve) => {
        stop = () => resolve('stopped')
      })
    },
    live: (work) => lives.run({ dead: false }, work),
    get stopped() {
      return stopped
    },
    disarm() {
      armed = undefined
    },
    get steps() {
      return steps
    },
  }
}
