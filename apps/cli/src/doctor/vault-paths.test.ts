import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { checkVault, vaultPaths } from './vault-paths.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A Vault that lets a token do this, by path; `root` for all the others. */
async function vault(capabilities: Readonly<Record<string, string[]>>, status = 200) {
  const seen: { token: unknown; namespace: unknown; paths: string[] }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const { paths } = JSON.parse(body) as { paths: string[] }
      seen.push({ token: request.headers['x-vault-token'], namespace: request.headers['x-vault-namespace'], paths })
      const data = Object.fromEntries(paths.map((path) => [path, capabilities[path] ?? ['root']]))
      response.writeHead(status).end(JSON.stringify(status === 200 ? { data } : { errors: ['no'] }))
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

it('needs what the documented policy gives, path by path', () => {
  const policy = readFileSync(new URL('../../../../packages/backend-vault/policies/kms.hcl', import.meta.url), 'utf8')
  const given = [...policy.matchAll(/^path "([^"]+)"\s*\{ capabilities = \[([^\]]*)\] \}/gm)].map(([, path, list]) => [
    path?.replace('/+', '/x'),
    [...(list as string).matchAll(/"(\w+)"/g)].map((match) => match[1]),
  ])
  expect(vaultPaths({}).map(({ path, capabilities }) => [path, [...capabilities]])).toEqual(given)
})

it('says which paths lack what', async () => {
  const { address, seen } = await vault({
    'transit/encrypt/x': ['deny'],
    'kv/data/team/keys/x': ['read', 'update'],
  })
  const summary = { address, namespace: 'team', kv_mount: 'kv', key_path_prefix: 'team/keys' }
  const findings = await checkVault(summary, { VAULT_TOKEN: 'canary' })
  expect(findings.map(({ outcome, text }) => [outcome, text])).toEqual([
    ['problem', 'path "transit/encrypt/+" needs "update", to wrap.'],
    ['problem', 'path "kv/data/team/keys/+" needs "create", to keep records.'],
  ])
  expect(seen).toMatchObject([{ token: 'canary', namespace: 'team' }])
  expect(JSON.stringify(findings)).not.toContain('canary')
})

it('is content with a token that may all, and says so when it cannot ask', async () => {
  const { address } = await vault({})
  expect(await checkVault({ address }, { VAULT_TOKEN: 't' })).toMatchObject([{ outcome: 'good' }])
  expect(await checkVault({ address }, {})).toMatchObject([{ outcome: 'note' }])
  const refusing = await vault({}, 403)
  expect(await checkVault({ address: refusing.address }, { VAULT_TOKEN: 't' })).toMatchObject([{ outcome: 'problem' }])
  expect(await checkVault({}, { VAULT_TOKEN: 't', VAULT_ADDR: 'http://127.0.0.1:1' })).toMatchObject([
    { outcome: 'problem' },
  ])
})
