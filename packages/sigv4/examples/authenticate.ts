import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier, isSigV4Error, signRequest } from '@kms/sigv4'

const users = new Map([['AKIDEXAMPLE', { secretAccessKey: 'an example secret', name: 'ada' }]])
const verifier = createVerifier({
  services: ['s3', 'execute-api'],
  credentials: (accessKeyId) => users.get(accessKeyId),
})

async function authenticate(request: IncomingMessage): Promise<string> {
  const { method = '', url = '', rawHeaders } = request
  const claim = verifier.parse({ method, rawTarget: url, rawHeaders })
  if (claim.kind === 'anonymous') return 'nobody'
  if (claim.payload.kind === 'unsigned') return 'nobody (the body is not covered, and here it must be)'
  const hash = createHash('sha256')
  for await (const chunk of request) hash.update(chunk)
  const user = await verifier.verify(claim, hash.digest('hex'))
  return user.name
}

const server = createServer((request, response) => {
  authenticate(request).then(
    (name) => response.end(`hello ${name}`),
    (error: unknown) => {
      response.statusCode = isSigV4Error(error) ? error.status : 500
      response.end(isSigV4Error(error) ? error.code : 'InternalError')
    },
  )
})
await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))

const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys?limit=5`
const body = '{"key_id":"app"}'
const send = async (secretAccessKey: string): Promise<string> => {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey }
  const headers = signRequest({ method: 'POST', url, body, region: 'us-east-1', service: 'execute-api', credentials })
  return (await fetch(url, { method: 'POST', body, headers })).text()
}
console.log(await send('an example secret')) // hello ada
console.log(await send('a guess')) // SignatureDoesNotMatch
server.close()
