import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const block = (language: string) => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(read('../README.md'))?.[1]

afterEach(() => {
  vi.restoreAllMocks()
})

const replies: Readonly<Record<string, readonly [number, object]>> = {
  '/kms/status': [200, { status: 'Running' }],
  '/kms/generate-data-key': [200, { plaintext_key: 'AA==', ciphertext_blob: 'BB==' }],
  '/kms/decrypt': [200, { plaintext: 'AA==' }],
  '/kms/keys/absent': [404, { code: 'KeyNotFound', message: 'no' }],
}

it('the example of the README is examples/wrap-a-data-key.ts, and prints what the README says', async () => {
  expect(block('ts')).toBe(read('../examples/wrap-a-data-key.ts'))
  const server = createServer((request, response) => {
    const [status, body] = replies[(request.url ?? '').replace('/rustfs/admin/v3', '')] ?? [500, {}]
    response.writeHead(status).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  vi.stubEnv('KMS_ENDPOINT', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void lines.push(words.join(' ')))
  await import('../examples/wrap-a-data-key.ts')
  server.close()
  vi.unstubAllEnvs()
  expect(`${lines.join('\n')}\n`).toBe(block('text'))
})
