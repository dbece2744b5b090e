import { join } from 'node:path'
import { expect } from 'vitest'
import { type Admin, createAdmin, type DataKey, type Reply } from './client.ts'
import { type Environment, type ServerProcess, startServer, temporaryFolder } from './server-process.ts'

/** A server that can be killed and started again on the same data. */
export interface Home {
  readonly folder: string
  /** A key directory. */
  readonly keys: string
  server: ServerProcess
  admin: Admin
  /** `kill -9`, and a new process. */
  restart(): Promise<void>
}

export async function startHome(more: Environment = {}): Promise<Home> {
  const folder = temporaryFolder()
  const env = { KMS_DATA_DIR: join(folder, 'data'), ...more }
  const server = await startServer({ env })
  const home: Home = {
    folder,
    keys: join(folder, 'keys'),
    server,
    admin: createAdmin(server.url),
    async restart() {
      home.server.kill('SIGKILL')
      await home.server.exited
      home.server = await startServer({ env })
      home.admin = createAdmin(home.server.url)
    },
  }
  return home
}

/** Status and error code of a reply. */
export async function codeOf(pending: Promise<Reply>): Promise<[number, unknown]> {
  const reply = await pending
  return [reply.status, reply.status === 200 ? undefined : reply.json()['code']]
}

/** Expects envelopes to open to what was wrapped. */
export async function expectOpen(admin: Admin, ...keys: readonly DataKey[]): Promise<void> {
  for (const { ciphertext_blob, plaintext_key } of keys)
    expect(await admin.decrypt(ciphertext_blob)).toBe(plaintext_key)
}
