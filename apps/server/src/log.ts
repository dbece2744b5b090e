import pino from 'pino'
import { prettyLine } from './pretty-line.ts'
import type { LogLevel } from './setting-table.ts'

/** Fields of a line. Nothing secret goes in: there is no redaction behind this. */
export type LogFields = Readonly<Record<string, unknown>>

/** Writes lines; each is on its way to the system when the call returns. */
export interface Log {
  readonly debugEnabled: boolean
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export interface LogOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
}

/** A log per part of the server: its lines carry `target: "rustfs::kms::<part>"`. */
export type LogFor = (part: string) => Log

/** Where lines go; standard error unless told otherwise. */
export interface LineSink {
  write(line: string): unknown
}

export function createLog({ level, format }: LogOptions, sink: LineSink = standardError()): LogFor {
  const destination = format === 'pretty' ? { write: (line: string) => sink.write(prettyLine(line)) } : sink
  const root = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    destination,
  )
  return (part) => {
    const lines = root.child({ target: `rustfs::kms::${part}` })
    return {
      debugEnabled: lines.isLevelEnabled('debug'),
      debug: (message, fields) => lines.debug(fields ?? {}, message),
      info: (message, fields) => lines.info(fields ?? {}, message),
      warn: (message, fields) => lines.warn(fields ?? {}, message),
      error: (message, fields) => lines.error(fields ?? {}, message),
    }
  }
}

function standardError(): LineSink {
  const destination = pino.destination({ dest: 2, sync: true })
  // A reader of the log that goes away must not take the server with it.
  destination.on('error', () => {})
  return destination
}
