import { bannerText, localUrl } from './banner.ts'
import { helpText } from './help.ts'
import { exitCodeOf, type KmsServer, startKmsServer } from './kms-server.ts'
import { createLog } from './log/log.ts'
import { readCommand } from './settings.ts'
import { exitCodes } from './startup-error.ts'
import { version } from './version.ts'

async function main(): Promise<void> {
  const command = readCommand({ args: process.argv.slice(2), environment: process.env })
  if (command.kind === 'help') process.stdout.write(helpText())
  else if (command.kind === 'version') process.stdout.write(`kms-server ${version}\n`)
  else {
    const { settings } = command.given
    const format = settings.KMS_LOG_FORMAT ?? (process.stderr.isTTY ? 'pretty' : 'json')
    const log = createLog({ level: settings.KMS_LOG_LEVEL, format })
    const server = await startKmsServer({ given: command.given, environment: process.env, log })
    endOnSignals(server)
    const { host } = settings.KMS_LISTEN
    const scheme = settings.KMS_TLS_CERT === undefined ? 'http' : 'https'
    process.stdout.write(
      bannerText({
        version,
        url: localUrl(scheme, { host, port: server.port }),
        dataDirectory: settings.KMS_DATA_DIR,
        status: server.manager.status(),
        region: settings.KMS_REGION ?? 'us-east-1',
        defaultCredentials: server.defaultCredentials,
      }),
    )
  }
}

/** The first signal ends the server in good order, a second one at once. */
function endOnSignals(server: KmsServer): void {
  let stopping = false
  const end = (): void => {
    if (stopping) process.exit(exitCodes.failed)
    stopping = true
    server.stop().then(() => process.exit(0), fail)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('SIGHUP', () => void server.reloadTls())
}

function fail(error: unknown): never {
  const code = exitCodeOf(error)
  const message = code === exitCodes.failed && !(error instanceof Error) ? 'unknown' : (error as Error).message
  process.stderr.write(`kms-server: ${message}\n`)
  process.exit(code)
}

main().catch(fail)
