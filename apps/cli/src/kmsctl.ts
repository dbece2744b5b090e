import { verifyAudit } from '@kms/audit'
import { isKmsClientError, type KeyMetadata, type KmsClient, operations } from '@kms/client'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { applyManifest } from './apply/apply.ts'
import { readManifest } from './apply/manifest.ts'
import { addBackup, addRestore } from './archive-commands.ts'
import { type BulkAction, bulkActions, runBulk } from './bulk.ts'
import { type CommandField, type CommandSpec, commandTable, groupSummaries, optionName } from './command-table.ts'
import { readValue } from './command-value.ts'
import { completionScript, type Shell, shells } from './completion.ts'
import { examine } from './doctor/doctor.ts'
import { CliError, exitCodeOf, exitCodes, usageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { addObjects } from './objects/add-objects.ts'
import { formatKeys, formatReply, formatTable, visible } from './output.ts'
import { type Profile, profilePath, readProfiles, writeProfiles } from './profiles.ts'
import { readDocument, withSettings } from './read-document.ts'
import { connect, connectToObjects, findTarget, type GlobalOptions, readText } from './session.ts'
import { version } from './version.ts'

/** Runs a command line to its end and returns the exit code. */
export async function runKmsctl(args: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.err(`kmsctl: ${visible(messageOf(error))}\n`)
    return exitCodeOf(error)
  }
}

function messageOf(error: unknown): string {
  if (isKmsClientError(error)) {
    const { code, message, requestId } = error
    return `${code}: ${message}${requestId === undefined ? '' : ` (request ${requestId})`}`
  }
  return error instanceof Error ? error.message : 'unknown error'
}

/** The commands. */
export function createProgram(io: Io): Command {
  const program = new Command('kmsctl')
    .description('The KMS from the command line.')
    .version(version)
    .option('--profile <name>', 'profile to use')
    .option('--endpoint <url>', 'where the server is')
    .option('--region <name>', 'region to sign for')
    .option('--ca <file>', 'certificate authorities to trust, in PEM')
    .option('--json', 'print JSON')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('--help tells more')
  const globals = (): GlobalOptions => program.opts()
  const json = (): boolean => globals().json === true
  const print = (reply: unknown): void => io.out(formatReply(reply, json()))

  async function withClient<T>(work: (client: KmsClient) => Promise<T>): Promise<T> {
    const client = connect(findTarget(globals(), io), io)
    try {
      return await work(client)
    } finally {
      client.close()
    }
  }

  const groups = new Map<string, Command>()
  function group(name: string, description: string): Command {
    let found = groups.get(name)
    if (found === undefined) {
      found = inherit(program.command(name).description(description))
      groups.set(name, found)
    }
    return found
  }
  function inherit(command: Command): Command {
    return command.copyInheritedSettings(program)
  }

  for (const spec of commandTable) {
    const [first, second] = spec.words
    const parent = second === undefined ? program : group(first, groupSummaries.get(first) ?? '')
    const command = inherit(parent.command(second ?? first)).description(spec.summary)
    if (spec.own === true) {
      const add = spec.operation === 'backup' ? addBackup : addRestore
      add(command, { io, withClient, print })
      continue
    }
    addFields(command, spec)
    command.action(async (...given: unknown[]) => {
      const options = given.at(-2) as Readonly<Record<string, string | boolean | readonly string[]>>
      const request = await readRequest(spec, given.slice(0, spec.args.length) as string[], options, io)
      await withClient(async (client) => {
        if (spec.operation === 'listKeys' && options['limit'] === undefined && options['marker'] === undefined) {
          const keys: KeyMetadata[] = []
          const status = options['status']
          for await (const key of client.allKeys(typeof status === 'string' ? { status } : {})) keys.push(key)
          io.out(json() ? formatReply({ keys }, true) : formatKeys(keys))
          return
        }
        print((await client.ask(spec.operation, request)).reply)
      })
    })
  }

  program
    .command('apply')
    .description('make the server what a file says; what is so already is left alone')
    .requiredOption('-f, --file <file>', 'YAML or JSON, - for standard input')
    .option('--dry-run', 'say what would be done')
    .option('--wait <seconds>', 'how long to wait until the server answers and is ready', wholeNumber, 60)
    .action(async (options: { file: string; dryRun?: true; wait: number }) => {
      const manifest = readManifest(await readDocument(options.file, io))
      const dryRun = options.dryRun === true
      const say = json() ? () => {} : io.out
      const { steps } = await withClient((client) =>
        applyManifest(client, manifest, { dryRun, waitSeconds: options.wait }, { ...io, say }),
      )
      if (json()) print({ dry_run: dryRun, steps })
      else if (steps.length === 0) io.out('Nothing to do.\n')
      if (dryRun && steps.length > 0) throw new CliError(exitCodes.found, `${steps.length} steps would be taken.`)
    })

  program
    .command('bulk')
    .description('do something to many keys: rotate, enable, disable or verify them')
    .argument('<action>', bulkActions.join(', '), oneOf(bulkActions))
    .option('--match <pattern>', 'ids of the keys, * for anything', '*')
    .option('--concurrency <number>', 'keys at a time', wholeNumber, 4)
    .action(async (action: BulkAction, { match, concurrency }: { match: string; concurrency: number }) => {
      const results = await withClient((client) =>
        runBulk(client, { action, match, concurrency: Math.min(Math.max(concurrency, 1), 64) }, io),
      )
      const failed = results.filter(({ outcome }) => outcome !== 'ok' && outcome !== 'skipped')
      const rows = results.map(({ key_id, outcome, message }) => [key_id, outcome, message ?? ''])
      if (json()) print({ results })
      else io.out(formatTable(['KEY', 'OUTCOME', ''], rows))
      if (failed.length > 0) throw new CliError(exitCodes.found, `${failed.length} of ${results.length} keys failed.`)
    })

  addObjects(inherit(program.command('objects').description('encrypted objects')), {
    io,
    json,
    inherit,
    concurrencyOf: (text) => Math.min(Math.max(wholeNumber(text), 1), 64),
    async withObjects(work) {
      const client = connectToObjects(findTarget(globals(), io), io)
      try {
        return await work(client)
      } finally {
        client.close()
      }
    },
  })

  const audit = inherit(program.command('audit').description('audit files'))
  inherit(audit.command('verify'))
    .description('say whether audit files are as they were written')
    .argument('<directory>', 'KMS_AUDIT_DIR, or a copy of it')
    .option(
      '--public-key <hex...>',
      'keys that may sign (audit_opened in the log); those in the files are believed otherwise',
    )
    .option('--expect-head <hex>', 'a head that was kept elsewhere (audit_checkpoint in the log)')
    .action(async (directory: string, options: { publicKey?: string[]; expectHead?: string }) => {
      const { publicKey: publicKeys, expectHead } = options
      const report = await verifyAudit(directory, {
        ...(publicKeys === undefined ? {} : { publicKeys }),
        ...(expectHead === undefined ? {} : { expectHead }),
      }).catch((error: unknown) => {
        throw usageError((error as Error).message, error)
      })
      print(report)
      if (report.problems.length > 0) {
        throw new CliError(
          exitCodes.found,
          `The audit files are not as they were written: ${report.problems.length} problems.`,
        )
      }
    })

  program
    .command('doctor')
    .description('look for what is wrong with a setup, and explain it')
    .action(async () => {
      const target = findTarget(globals(), io)
      const findings = await withClient((client) => examine(client, target, io))
      if (json()) print({ findings })
      else
        io.out(
          formatTable(
            ['', 'CHECK', ''],
            findings.map(({ check, outcome, text }) => [outcome, check, text]),
          ),
        )
      if (findings.some(({ outcome }) => outcome === 'problem'))
        throw new CliError(exitCodes.found, 'There are problems.')
    })

  program
    .command('call')
    .description('any operation of the API by its name')
    .argument('<operation>', 'operationId of kmsctl openapi', oneOf(Object.keys(operations)))
    .option('--path <field=value...>', 'what stands in the path')
    .option('--query <field=value...>', 'query parameters')
    .option('--body <json>', 'the body, as JSON; @file reads it from a file')
    .action(
      async (operation: keyof typeof operations, options: { path?: string[]; query?: string[]; body?: string }) => {
        const pairs = (texts: string[] = []) => withSettings({}, texts) as Record<string, string>
        const { body: text } = options
        const body = text?.startsWith('@') ? await readDocument(text.slice(1), io) : text && parseJson(text)
        await withClient(async (client) => {
          const request = {
            path: pairs(options.path),
            query: pairs(options.query),
            ...(body === undefined ? {} : { body }),
          }
          print((await client.ask(operation, request)).reply)
        })
      },
    )

  addProfiles(
    inherit(program.command('profile').description('where servers are, and who calls them')),
    io,
    json,
    inherit,
  )

  program
    .command('completion')
    .description('a script that completes commands')
    .argument('<shell>', shells.join(', '), oneOf(shells))
    .action((shell: Shell) => io.out(completionScript(program, shell)))
  for (const command of program.commands) inherit(command)
  return program
}

function addFields(command: Command, { args, options, document, conditional }: CommandSpec): void {
  for (const { field, help } of args) command.argument(`<${field}>`, help)
  for (const each of options) {
    const name = optionName(each)
    const placeholder = each.kind === 'flag' ? '' : each.kind === 'pairs' ? ' <name=value...>' : ` <${each.kind}>`
    command.addOption(new Option(`--${name}${placeholder}`, each.help))
  }
  if (document) {
    command.option('-f, --file <file>', 'document in JSON or YAML, - for standard input')
    command.option('--set <field=value...>', 'single fields')
  }
  if (conditional) command.option('--if-match <etag>', 'only if nobody changed it since')
}

type GivenOptions = Readonly<Record<string, string | boolean | readonly string[]>>

async function readRequest(spec: CommandSpec, args: readonly string[], options: GivenOptions, io: Io) {
  const parts: Record<CommandField['place'], Record<string, unknown>> = { path: {}, query: {}, body: {} }
  let bodyGiven = false
  const put = async (field: CommandField, given: string | boolean | readonly string[]): Promise<void> => {
    parts[field.place][field.field] = await readValue(field, given, io)
    if (field.place === 'body') bodyGiven = true
  }
  for (const [index, field] of spec.args.entries()) await put(field, args[index] as string)
  for (const field of spec.options) {
    const given = options[camelCase(optionName(field))]
    if (given !== undefined) await put(field, given)
  }
  const { file, set, ifMatch } = options as { file?: string; set?: string[]; ifMatch?: string }
  const document = spec.document === true ? withSettings(file && (await readDocument(file, io)), set ?? []) : undefined
  const body = document ?? (bodyGiven ? parts.body : undefined)
  const query = parts.query as Record<string, string | number | boolean>
  return {
    path: parts.path as Record<string, string>,
    query,
    ...(body === undefined ? {} : { body }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  }
}

function addProfiles(profile: Command, io: Io, json: () => boolean, inherit: (command: Command) => Command): void {
  const path = profilePath(io)
  inherit(profile.command('set'))
    .description('make or change a profile; the first one made is used')
    .argument('<name>')
    .option('--url <url>', 'where the server is')
    .option('--access-key <key>', 'access key')
    .option('--secret-file <file>', 'file with the secret key, - for standard input')
    .option('--session-token-file <file>', 'file with the session token')
    .option('--sign-region <name>', 'region to sign for')
    .option('--ca-file <file>', 'certificate authorities to trust, in PEM')
    .action(async (name: string, options: Readonly<Record<string, string | undefined>>) => {
      const secret = async (file: string | undefined) =>
        file === undefined ? undefined : (file === '-' ? await io.readStdin() : readText(file)).replace(/\r?\n$/, '')
      const given: Profile = withoutUndefined({
        endpoint: options['url'],
        access_key: options['accessKey'],
        secret_key: await secret(options['secretFile']),
        session_token: await secret(options['sessionTokenFile']),
        region: options['signRegion'],
        ca_file: options['caFile'],
      })
      const { current = name, profiles } = readProfiles(path)
      writeProfiles(path, { current, profiles: { ...profiles, [name]: { ...profiles[name], ...given } } })
    })
  inherit(profile.command('use'))
    .description('use a profile from now on')
    .argument('<name>')
    .action((name: string) => {
      const { profiles } = readProfiles(path)
      if (!Object.hasOwn(profiles, name)) throw usageError(`There is no profile called ${name}.`)
      writeProfiles(path, { current: name, profiles })
    })
  inherit(profile.command('remove'))
    .description('forget a profile')
    .argument('<name>')
    .action((name: string) => {
      const { current, profiles } = readProfiles(path)
      const left = Object.fromEntries(Object.entries(profiles).filter(([each]) => each !== name))
      writeProfiles(path, { profiles: left, ...(current === name || current === undefined ? {} : { current }) })
    })
  inherit(profile.command('list'))
    .description('the profiles, without their secrets')
    .action(() => {
      const { current, profiles } = readProfiles(path)
      const shown = Object.entries(profiles).map(([name, { endpoint = '', access_key = '' }]) => ({
        name,
        current: name === current,
        endpoint,
        access_key,
      }))
      const rows = shown.map((each) => [each.current ? '*' : '', each.name, each.endpoint, each.access_key])
      io.out(
        json() ? formatReply({ profiles: shown }, true) : formatTable(['', 'PROFILE', 'ENDPOINT', 'ACCESS KEY'], rows),
      )
    })
}

function withoutUndefined(value: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Record<string, string>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw usageError('--body is not JSON.', error)
  }
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  return Number(text)
}

function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    if (words.includes(text as T)) return text as T
    throw new InvalidArgumentError(`expected one of ${words.join(', ')}`)
  }
}
