import { readFile, readlink } from 'node:fs/promises'

/** What tells a process from every other one, now and after its id has been given to another. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to its start, where `/proc` tells. */
  readonly started: string
  /** The boot and the pid namespace in which `pid` means something, where `/proc` tells. */
  readonly namespace: string
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, started: (await startTimeOf(process.pid)) ?? '', namespace: await currentNamespace() }
}

/** `elsewhere`: the process may live in another pid namespace of this boot, where its id says nothing here. */
export async function lookFor(identity: ProcessIdentity): Promise<'alive' | 'gone' | 'elsewhere'> {
  const here = await currentNamespace()
  if (identity.namespace !== here) {
    const [boot] = identity.namespace.split(' ')
    return boot !== '' && boot === here.split(' ')[0] ? 'elsewhere' : 'gone'
  }
  if (!signalReaches(identity.pid)) return 'gone'
  const started = (await startTimeOf(identity.pid)) ?? ''
  return started === identity.started ? 'alive' : 'gone'
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Field 22 of `/proc/<pid>/stat`; the second field, the name, may hold spaces and brackets. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

async function currentNamespace(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '')
  return `${boot.trim()} ${namespace}`
}
