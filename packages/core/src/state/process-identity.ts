import { readFile, readlink } from 'node:fs/promises'

/** What tells a process from every other one, now and after its id has been given to another: for lock files. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to its start (proc(5), `stat` field 22); empty where `/proc` does not tell. */
  readonly started: string
  /** The boot of the machine; empty where `/proc` does not tell. */
  readonly boot: string
  /** The pid namespace in which `pid` means something; empty where `/proc` does not tell. */
  readonly namespace: string
}

/** The identity of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const { pid } = process
  const started = await startOf(pid)
  return { pid, started: started ?? '', ...(await currentPlace()) }
}

/**
 * What has become of a process. `other-namespace`: it may live in another container of this boot, where its id says nothing
 * here. `other-boot`: it lived before this machine was started, or lives on another machine.
 */
export async function lookForProcess(
  identity: ProcessIdentity,
): Promise<'alive' | 'gone' | 'other-namespace' | 'other-boot'> {
  const here = await currentPlace()
  if (identity.boot !== here.boot) return 'other-boot'
  if (identity.namespace !== here.namespace) return 'other-namespace'
  const started = await startOf(identity.pid)
  if (started === undefined) return 'gone'
  const same = started === '' || identity.started === '' || started === identity.started
  return same ? 'alive' : 'gone'
}

async function currentPlace(): Promise<Pick<ProcessIdentity, 'boot' | 'namespace'>> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return { boot: boot.trim(), namespace }
}

/** When a process started; `undefined` when it is gone or only waits to be reaped, empty when it lives and /proc is silent. */
async function startOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  if (text === undefined) return isAlive(pid) ? '' : undefined
  // The second field is the command in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
