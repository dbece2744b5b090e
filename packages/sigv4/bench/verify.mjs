// One header verification with a warm signing key, against its floor: one SHA-256 and one HMAC over the same texts.
// Build first (`npm run build`), then: node bench/verify.mjs
import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'
import { createVerifier, signRequest } from '@kms/sigv4'

const ROUNDS = 7
const PER_ROUND = 20_000
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: randomBytes(30).toString('base64') }
const target = '/bucket/photos/2026/11/holiday.jpg?x-id=PutObject'
const signed = signRequest({
  method: 'PUT',
  target,
  host: 'localhost:9000',
  region: 'us-east-1',
  service: 's3',
  credentials,
  body: 'x',
  headers: {
    accept: '*/*',
    'accept-encoding': 'gzip, deflate',
    'content-type': 'image/jpeg',
    'content-length': '1',
    'user-agent': 'bench',
    'x-amz-server-side-encryption': 'aws:kms',
  },
})
const request = { method: 'PUT', rawTarget: target, rawHeaders: Object.entries(signed).flat() }
const verifier = createVerifier({ services: ['s3'], credentials: () => credentials })

const canonicalRequest = 'x'.repeat(480)
const stringToSign = 'x'.repeat(130)
const key = createSecretKey(randomBytes(32))
const contestants = {
  floor: () => {
    hash('sha256', canonicalRequest, 'hex')
    return createHmac('sha256', key).update(stringToSign).digest()
  },
  verify: () => verifier.verify(verifier.parse(request)),
}

const best = { floor: Number.POSITIVE_INFINITY, verify: Number.POSITIVE_INFINITY }
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(contestants)) {
    const start = performance.now()
    for (let count = 0; count < PER_ROUND; count++) await run()
    best[name] = Math.min(best[name], ((performance.now() - start) * 1000) / PER_ROUND)
  }
}
console.log(
  `floor ${best.floor.toFixed(2)} µs, verify ${best.verify.toFixed(2)} µs, ratio ${(best.verify / best.floor).toFixed(1)}`,
)
