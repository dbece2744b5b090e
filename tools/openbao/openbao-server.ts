import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Certificate, makeAuthority, makeCertificate } from '../certificates.ts'
import { freePort } from './free-port.ts'

/** Called when the test, or the suite, is over; what was given last is run first. */
export type Cleanup = (work: () => Promise<void>) => void

export interface OpenBaoOptions {
  /** Path of the program (`requireOpenBao`). */
  readonly program: string
  readonly cleanup: Cleanup
  /** Signs the server's certificate; one is made unless given. */
  readonly authority?: Certificate
  /** Subject alternative names of the certificate, as openssl writes them, besides localhost and the address. */
  readonly names?: readonly string[]
  /** Address of loopback to listen on. */
  readonly host?: string
  readonly port?: number
  /** The name of the node in its cluster. */
  readonly node?: string
  /** Further lines inside `listener "tcp" { }`. */
  readonly listener?: string
  /** What the operator shows a server that demands certificates. */
  readonly client?: Certificate
}

export interface Reply {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- a test reads what it wrote
  readonly body: any
}

/**
 * A real, non-dev server: Integrated Storage in a temporary folder, TLS with a certificate of a private authority, started
 * as a process of its own, initialised and unsealed by the test.
 */
export interface OpenBao {
  /** `https://…` without a path. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly authority: Certificate
  /** The authority's certificate in PEM. */
  readonly ca: string
  readonly rootToken: string
  /** Runs the CLI as an operator with the root token; returns what it printed. */
  cli(...args: readonly string[]): Promise<string>
  /** Calls the HTTP API; with the root token unless another one is given. */
  api(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>
  seal(): Promise<void>
  unseal(): Promise<void>
  /** Ends the process without a word, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts the process again after `kill`, sealed as a server is that was started. */
  start(): Promise<void>
  /** Whether it is up, unsealed and, in a cluster, active or standby. */
  isServing(): Promise<boolean>
}

const run = promisify(execFile)
const POLL_MS = 20
const PATIENCE_MS = 30_000

/** Resolves once `condition` holds; rejects when that takes unreasonably long. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`)
}

/** Secrets of an initialised cluster. */
interface Keys {
  readonly rootToken: string
  readonly unsealKey: string
}

/** A node that was started and joined nothing yet. */
export interface OpenBaoNode extends Omit<OpenBao, 'rootToken'> {
  /** Makes this node the first of a cluster of its own. */
  initialise(): Promise<Keys>
  /** Makes this node one of the cluster of another. */
  join(leader: OpenBaoNode, keys: Keys): Promise<void>
  withKeys(keys: Keys): OpenBao
}

/** Starts a server of one node, initialises and unseals it. It ends with the test. */
export async function startOpenBao(options: OpenBaoOptions): Promise<OpenBao> {
  const node = await startNode(options)
  return node.withKeys(await node.initialise())
}

export async function startNode(options: OpenBaoOptions): Promise<OpenBaoNode> {
  const { program, cleanup, host = '127.0.0.1', node = 'one', listener = '', client } = options
  const folder = mkdtempSync(join(tmpdir(), 'kms-openbao-'))
  cleanup(async () => rmSync(folder, { recursive: true, force: true }))
  const authority = options.authority ?? makeAuthority(folder)
  const names = ['DNS:localhost', 'IP:127.0.0.1', ...(options.names ?? [])]
  if (host !== '127.0.0.1') names.push(`IP:${host}`)
  const { cert, key } = makeCertificate(folder, 'server', authority, { names })
  const port = options.port ?? (await freePort(host))
  const clusterPort = await freePort(host)
  const address = `https://${host}:${port}`
  mkdirSync(join(folder, 'data'))
  writeFileSync(
    join(folder, 'server.hcl'),
    `storage "raft" {
  path = ${JSON.stringify(join(folder, 'data'))}
  node_id = "${node}"
  performance_multiplier = 1
}
listener "tcp" {
  address = "${host}:${port}"
  cluster_address = "${host}:${clusterPort}"
  tls_cert_file = ${JSON.stringify(cert)}
  tls_key_file = ${JSON.stringify(key)}
  ${listener}
}
api_addr = "${address}"
cluster_addr = "https://${host}:${clusterPort}"
`,
  )
  const ca = readFileSync(authority.cert, 'utf8')
  const shown = client === undefined ? {} : { cert: readFileSync(client.cert), key: readFileSync(client.key) }
  // Nothing of the environment of the tests; Vault's names and OpenBao's, whichever program it is.
  const environment = { PATH: process.env['PATH'] ?? '', HOME: folder, LANG: 'C.UTF-8', VAULT_DISABLE_MLOCK: 'true' }
  let child: ChildProcess | undefined
  let keys: Keys | undefined

  async function start(): Promise<void> {
    const log: string[] = []
    const started = spawn(program, ['server', `-config=${join(folder, 'server.hcl')}`], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => log.push(text))
    }
    // A test process that ends early takes its servers along.
    const end = (): void => void started.kill('SIGKILL')
    process.once('exit', end)
    started.once('close', () => process.off('exit', end))
    await until(`OpenBao starts on ${address}`, async () => {
      if (started.exitCode !== null) throw new Error(`OpenBao ended:\n${log.join('')}`)
      return (await health()) !== undefined
    })
  }

  async function kill(): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const closed = new Promise((resolve) => ending.once('close', resolve))
    ending.kill('SIGKILL')
    await closed
  }

  const api: OpenBao['api'] = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const token = keys === undefined ? {} : { 'X-Vault-Token': keys.rootToken }
      const call = request(
        `${address}/v1/${path}`,
        { method, ca, ...shown, agent: false, headers: { ...token, ...headers } },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text && JSON.parse(text) }))
          response.on('error', reject)
        },
      )
      call.on('error', reject)
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })

  async function must(method: string, path: string, body: unknown): Promise<Reply['body']> {
    const reply = await api(method, path, body)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
    return reply.body
  }

  /** 200 active, 429 standby, 501 not initialised, 503 sealed; undefined when nothing answers. */
  async function health(): Promise<number | undefined> {
    return api('GET', 'sys/health').then(
      ({ status }) => status,
      () => undefined,
    )
  }

  /** A standby serves only while it knows a leader. */
  async function isServing(): Promise<boolean> {
    const status = await health()
    if (status !== 429) return status === 200
    const leader = await api('GET', 'sys/leader').catch(() => undefined)
    return Boolean(leader?.body?.leader_address)
  }

  async function unseal(): Promise<void> {
    await must('PUT', 'sys/unseal', { key: keys?.unsealKey })
    await until(`${address} is unsealed`, isServing)
  }

  cleanup(kill)
  await start()

  const server: OpenBaoNode = {
    address,
    host,
    port,
    authority,
    ca,
    async cli(...args) {
      const token = keys?.rootToken ?? ''
      const own = { BAO_ADDR: address, BAO_CACERT: authority.cert, BAO_TOKEN: token }
      const vaults = { VAULT_ADDR: address, VAULT_CACERT: authority.cert, VAULT_TOKEN: token }
      const certificate =
        client === undefined
          ? {}
          : {
              BAO_CLIENT_CERT: client.cert,
              BAO_CLIENT_KEY: client.key,
              VAULT_CLIENT_CERT: client.cert,
              VAULT_CLIENT_KEY: client.key,
            }
      const { stdout } = await run(program, args, { env: { ...environment, ...own, ...vaults, ...certificate } })
      return stdout
    },
    api,
    async seal() {
      await must('PUT', 'sys/seal', {})
      await until(`${address} is sealed`, async () => (await health()) === 503)
    },
    unseal,
    kill,
    start,
    isServing,
    async initialise() {
      const made = await must('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
      keys = { rootToken: made.root_token, unsealKey: made.keys_base64[0] }
      await unseal()
      await until(`${address} is active`, async () => (await health()) === 200)
      return keys
    },
    async join(leader, leaderKeys) {
      await must('POST', 'sys/storage/raft/join', { leader_api_addr: leader.address, leader_ca_cert: leader.ca })
      keys = leaderKeys
      await unseal()
    },
    withKeys: ({ rootToken }) => ({ ...server, rootToken }),
  }
  return server
}
