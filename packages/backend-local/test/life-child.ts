import { constants, createPublicKey, generateKeyPair, publicEncrypt } from 'node:crypto'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, createFileImportStore, createServerKey, isKmsError, systemClock, systemRandom } from '@kms/core'
import { ACTS, type Act } from './life-model.ts'
import { boot, caller, generate } from './service.ts'

// Runs in a process of its own, until it is killed: [home of the server, key directory, directory of its root keys, name of the
// server, days its clock is ahead]. Several use one store. Writes a line of JSON before it does something and once that is
// acknowledged, so that whoever finds it dead knows what must be there.
const [home = '', keyDir = '', rootKeyDir = '', name = '', days = ''] = process.argv.slice(2)
const report = (line: object): number => writeSync(1, `${JSON.stringify(line)}\n`)
const clock: Clock = { now: () => Date.now() + Number(days) * 86_400_000, after: systemClock.after }
const asked = { authorize: (): void => {}, caller }

const SHARED = ['s0', 'S1', 's2']
const OWN = [0, 1, 2].map((i) => `${name}-${i}`)

/** How acts end where several servers meet, or the state of the key does not allow them. Anything else is a defect. */
const REFUSALS = [
  'KeyNotFound',
  'KeyDestroyed',
  'KeyAlreadyExists',
  'KeyDisabled',
  'KeyPendingDeletion',
  'KeyIdRetired',
] as const

const { manager } = await boot(home, {
  clock,
  rootKeyDir,
  importStore: await createFileImportStore({
    directory: join(home, 'imports'),
    keys: { current: createServerKey(new Uint8Array(32).fill(9)) },
    random: systemRandom,
  }),
  // Small, because hundreds are made.
  generateWrappingKey: () =>
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    }),
})
if (manager.status().status === 'NotConfigured') {
  await manager.configure({ backend_type: 'local', key_dir: keyDir, default_key_id: 'main' }, caller)
}
if (manager.status().status !== 'Running') await manager.start({ force: false }, caller)

function pick<T>(from: readonly T[]): T {
  return from[systemRandom(4).readUInt32BE() % from.length] as T
}

async function perform({ type, key, value }: Act): Promise<unknown> {
  const { keys } = manager
  const request = { ...asked, key }
  switch (type) {
    case 'create':
      return keys.create({ ...asked, name: key })
    case 'import':
      return importKey(key)
    case 'rotate':
      return keys.rotate(request)
    case 'enable':
      return keys.enable(request)
    case 'disable':
      return keys.disable(request)
    case 'tag':
      return keys.tag({ ...request, tags: new Map([['t', value]]) })
    case 'describe':
      return keys.updateDescription({ ...request, description: value })
    case 'add alias':
      return keys.addAlias({ ...request, alias: value })
    case 'remove alias':
      return keys.removeAlias({ ...request, alias: value })
    case 'schedule':
      return keys.scheduleDeletion({ ...request, windowDays: 7 })
    case 'cancel':
      return keys.cancelDeletion(request)
    case 'destroy':
      return keys.destroy({ ...request, confirmKeyId: key })
  }
}

async function importKey(key: string): Promise<unknown> {
  const { token, publicKey } = await manager.keys.importParameters({ ...asked, name: key })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const rsa = { key: createPublicKey({ key: publicKey, format: 'der', type: 'spki' }), padding, oaepHash: 'sha256' }
  return manager.keys.importKey({ ...asked, name: key, token, wrapped: publicEncrypt(rsa, systemRandom(32)) })
}

/** A key whose time has come is the worker's. */
async function isDue(key: string): Promise<boolean> {
  const { deletionAt } = await manager.keys.describe({ ...asked, key }).catch(() => ({ deletionAt: undefined }))
  return deletionAt !== undefined && deletionAt <= clock.now() + 3_600_000
}

async function act(): Promise<void> {
  const key = pick(pick([SHARED, OWN, OWN]))
  if (await isDue(key)) return
  const type = pick(ACTS)
  const value = type.endsWith('alias') ? `${key}-${pick(['x', 'Y'])}` : systemRandom(4).toString('hex')
  const doing: Act = { type, key, value }
  report({ doing })
  try {
    await perform(doing)
    report({ done: doing })
  } catch (error) {
    if (!isKmsError(error, ...REFUSALS)) throw error
    report({ refused: doing, code: error.code })
  }
}

async function wrap(): Promise<void> {
  const key = pick(['main', 'auto-0', ...SHARED, ...OWN])
  try {
    const { keyId, keyVersion: version, ciphertext, plaintext } = await generate(manager, key)
    report({ keyId, version, ciphertext: ciphertext.toString('base64'), plaintext: plaintext.toString('base64') })
  } catch (error) {
    if (!isKmsError(error, ...REFUSALS)) throw error
  }
}

for (;;) {
  if (systemRandom(1).readUInt8() < 4) await manager.rotateRoot({ reseal: systemRandom(1).readUInt8() < 128 }, caller)
  else await act()
  await wrap()
}
