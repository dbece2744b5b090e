import { isKmsClientError, type KmsClient } from '@kms/client'
import { CliError, exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { visible } from '../output.ts'
import type { Manifest } from './manifest.ts'
import { planKeys, planPolicies, planService, planUsers, type Step } from './plan.ts'

export interface ApplyOptions {
  readonly dryRun: boolean
  /** How long to wait for the server to answer and for the service to be ready, in seconds. */
  readonly waitSeconds: number
}

export interface ApplyResult {
  /** How each step read, in the order they were done. */
  readonly steps: readonly string[]
}

/**
 * Makes a server what a manifest says, step by step, in an order in which each step finds what it needs; what is so already
 * is left alone. With `dryRun` it only says what it would do, as far as that can be known before the steps ahead of it.
 */
export async function applyManifest(
  client: KmsClient,
  manifest: Manifest,
  { dryRun, waitSeconds }: ApplyOptions,
  io: Pick<Io, 'out' | 'wait' | 'now'> & { readonly say: (text: string) => void },
): Promise<ApplyResult> {
  const deadline = io.now() + waitSeconds * 1000
  await until(io, deadline, 'The server does not answer', async () => (await client.get('/health/live')).status === 200)
  const done: string[] = []
  const perform = async (steps: readonly Step[]): Promise<void> => {
    for (const { sign, text, run } of steps) {
      const line = `${sign} ${visible(text)}`
      io.say(`${line}\n`)
      done.push(line)
      if (!dryRun) await run()
    }
  }
  const service = await planService(client, manifest)
  await perform(service)
  if (!dryRun && manifest.state !== 'stopped' && (manifest.config !== undefined || manifest.keys.length > 0)) {
    await until(
      io,
      deadline,
      'The service is not ready',
      async () => (await client.get('/health/ready')).status === 200,
    )
  }
  await perform(await planPolicies(client, manifest.policies))
  await perform(await planUsers(client, manifest.users))
  const running = (await client.call('getStatus')).status === 'Running'
  if (running) await perform(await planKeys(client, manifest.keys))
  else if (dryRun)
    await perform(
      manifest.keys.map(({ name }) => ({ sign: '+', text: `key ${name}, unless it is there`, run: async () => {} })),
    )
  return { steps: done }
}

async function until(
  { wait, now }: Pick<Io, 'wait' | 'now'>,
  deadline: number,
  complaint: string,
  reached: () => Promise<boolean>,
): Promise<void> {
  for (;;) {
    try {
      if (await reached()) return
    } catch (error) {
      if (!isKmsClientError(error, 'ConnectionFailed', 'RequestTimeout')) throw error
    }
    if (now() >= deadline) throw new CliError(exitCodes.unavailable, `${complaint}: --wait is over.`)
    await wait(500)
  }
}
