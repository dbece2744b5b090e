import type { KmsClient, RestoreOptions, RestoreReply } from '@kms/client'
import { type Command, Option } from 'commander'
import { readArchiveFile, writeArchiveFile } from './archive-file.ts'
import { CliError, exitCodes, usageError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { readText } from './session.ts'

/** What a command is given to work with. */
export interface CommandContext {
  readonly io: Io
  withClient<T>(work: (client: KmsClient) => Promise<T>): Promise<T>
  print(reply: unknown): void
}

/** Where the passphrase comes from: never an argument, which everybody on the machine sees. */
interface SecretOptions {
  readonly passphraseFile?: string
  readonly serverKey?: true
}

const VARIABLE = 'KMSCTL_ARCHIVE_PASSPHRASE'

/** `kmsctl backup`: an archive into a file. */
export function addBackup(command: Command, { io, withClient, print }: CommandContext): void {
  command.requiredOption('-o, --out <file>', 'where the archive goes; it appears when it is whole')
  command.option('--force', 'replace a file that is there')
  addSecret(command).action(async (options: SecretOptions & { out: string; force?: true }) => {
    const passphrase = await readPassphrase(options, io, 'once more')
    const secret = passphrase === undefined ? {} : { passphrase }
    const written = await withClient((client) =>
      writeArchiveFile(options.out, options.force === true, () => client.backup(secret)),
    )
    print({ success: true, file: options.out, ...written })
  })
}

/** `kmsctl restore`: an archive from a file. */
export function addRestore(command: Command, { io, withClient, print }: CommandContext): void {
  command.argument('<file>', 'the archive')
  command.option('--dry-run', 'say what would happen')
  command.addOption(
    new Option('--conflict <policy>', 'where archive and store disagree').choices(['fail', 'skip', 'overwrite']),
  )
  addSecret(command).action(
    async (file: string, options: SecretOptions & Pick<RestoreOptions, 'conflict'> & { dryRun?: true }) => {
      const archive = await readArchiveFile(file)
      const passphrase = await readPassphrase(options, io)
      const how: RestoreOptions = {
        dryRun: options.dryRun === true,
        ...(options.conflict === undefined ? {} : { conflict: options.conflict }),
        ...(passphrase === undefined ? {} : { passphrase }),
      }
      const reply = await withClient((client) => client.restore(archive, how))
      print(reply)
      if (reply.dry_run && isRefused(reply, options.conflict)) {
        throw new CliError(
          exitCodes.found,
          `Archive and store disagree about ${reply.conflict_count} keys; see --conflict.`,
        )
      }
    },
  )
}

/** Whether the restore itself would be refused; with `overwrite`, only the server can tell. */
function isRefused({ conflict_count }: RestoreReply, conflict: RestoreOptions['conflict'] = 'fail'): boolean {
  return conflict === 'fail' && conflict_count > 0
}

function addSecret(command: Command): Command {
  return command
    .option(
      '--passphrase-file <file>',
      `file with the passphrase, - for standard input; else ${VARIABLE}, else a question`,
    )
    .option('--server-key', 'no passphrase: the key the server has for archives')
}

async function readPassphrase(
  { passphraseFile: file, serverKey }: SecretOptions,
  io: Io,
  again?: string,
): Promise<string | undefined> {
  if (serverKey === true) {
    if (file === undefined) return undefined
    throw usageError('Give --passphrase-file or --server-key, not both.')
  }
  if (file !== undefined) return notEmpty((file === '-' ? await io.readStdin() : readText(file)).replace(/\r?\n$/, ''))
  const given = io.env[VARIABLE]
  if (given !== undefined) return notEmpty(given)
  if (io.askSecret === undefined) {
    throw usageError(`There is no passphrase. Give --passphrase-file, ${VARIABLE} or --server-key.`)
  }
  const typed = await io.askSecret('Passphrase of the archive: ')
  if (again !== undefined && typed !== (await io.askSecret(`The same, ${again}: `))) {
    throw usageError('The two are not the same.')
  }
  return notEmpty(typed)
}

function notEmpty(passphrase: string): string {
  if (passphrase === '') throw usageError('The passphrase is empty.')
  return passphrase
}
