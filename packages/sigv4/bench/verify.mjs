// One header verification of 20 headers with a warm signing key, against its floor: one SHA-256 and one HMAC over the very
// same texts. Both take turns in many short rounds, so that whatever else the machine does hits both.
// Build first (`npm run build`), then: node bench/verify.mjs
import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'
import { createVerifier, signRequest } from '@kms/sigv4'

const ROUNDS = 101
const PER_ROUND = 1000
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
    'amz-sdk-invocation-id': '0f0c5d0e-6c52-4d2c-8f5e-0a4f3a4d7a11',
    'amz-sdk-request': 'attempt=1; max=3',
    'cache-control': 'max-age=3600',
    'content-disposition': 'inline',
    'content-length': '1',
    'content-type': 'image/jpeg',
    'if-none-match': '*',
    'user-agent': 'bench',
    'x-amz-checksum-crc32': 'AAAAAA==',
    'x-amz-meta-author': 'ada',
    'x-amz-meta-colour': 'green',
    'x-amz-sdk-checksum-algorithm': 'CRC32',
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-tagging': 'project=kms',
  },
})
const request = { method: 'PUT', rawTarget: target, rawHeaders: Object.entries(signed).flat() }
const verifier = createVerifier({ services: ['s3'], credentials: () => credentials })

const { canonicalRequest, stringToSign } = await computationOf(request)
const key = createSecretKey(randomBytes(32))
const contestants = {
  floor: () => {
    hash('sha256', canonicalRequest, 'hex')
    return createHmac('sha256', key).update(stringToSign).digest()
  },
  verify: () => verifier.verify(verifier.parse(request)),
}

const times = { floor: [], verify: [] }
for (let round = -20; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(contestants)) {
    const start = performance.now()
    for (let count = 0; count < PER_ROUND; count++) await run()
    if (round >= 0) times[name].push(((performance.now() - start) * 1000) / PER_ROUND)
  }
}
const ratios = times.verify.map((time, round) => time / times.floor[round])
const headers = request.rawHeaders.length / 2
console.log(`${headers} headers, ${canonicalRequest.length + stringToSign.length} bytes hashed, ${ROUNDS} rounds`)
console.log(`floor  ${summary(times.floor)} µs`)
console.log(`verify ${summary(times.verify)} µs`)
console.log(`ratio  ${summary(ratios)}`)

/** What a verification hashes, from a verifier that has another secret. */
async function computationOf(received) {
  const other = { ...credentials, secretAccessKey: 'another' }
  const wrong = createVerifier({ services: ['s3'], debug: true, credentials: () => other })
  const error = await wrong.verify(wrong.parse(received)).catch((thrown) => thrown)
  return error.computed
}

function summary(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))].toFixed(2)
  return `median ${at(0.5)} (${at(0.1)} to ${at(0.9)})`
}
